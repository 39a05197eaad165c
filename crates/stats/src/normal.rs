//! The standard normal and Student's t distributions.

use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};

/// The probability at or below `x`.
pub(super) fn cumulative(x: f64) -> f64 {
    Normal::standard().cdf(x)
}

/// The value that has probability `p` at or below it; `p` lies inside (0, 1).
pub(super) fn inverse_cumulative(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// The density at `x`.
pub(super) fn density(x: f64) -> f64 {
    Normal::standard().pdf(x)
}

/// From here on the expansions below are exact to nine digits, while the incomplete beta function of the library
/// takes longer and longer, and does not end at 10^9 degrees.
const NEARLY_NORMAL: f64 = 10_000.0;

/// Student's t with at least one degree of freedom: the probability at or below `x`.
///
/// Many degrees: M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 26.7.8.
pub(super) fn student_cumulative(degrees: f64, x: f64) -> f64 {
    if degrees < NEARLY_NORMAL {
        return student(degrees).cdf(x);
    }
    cumulative(x * (1.0 - 0.25 / degrees) / (1.0 + x * x / (2.0 * degrees)).sqrt())
}

/// Student's t with at least one degree of freedom: the value with probability `p` at or below it.
///
/// Many degrees: M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 26.7.5.
pub(super) fn student_inverse_cumulative(degrees: f64, p: f64) -> f64 {
    if degrees < NEARLY_NORMAL {
        return student(degrees).inverse_cdf(p);
    }
    let z = inverse_cumulative(p);
    let (cube, fifth) = (z.powi(3), z.powi(5));
    z + (cube + z) / (4.0 * degrees)
        + (5.0 * fifth + 16.0 * cube + 3.0 * z) / (96.0 * degrees * degrees)
}

fn student(degrees: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, degrees.max(1.0))
        .expect("location 0, scale 1 and one degree of freedom or more are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.norm.ppf(p)`, `norm.cdf(x)`, `t.ppf(0.025, df)` and `t.cdf(-2.5, df)`.
    #[test]
    fn distributions_agree_with_scipy() {
        for (p, x) in [
            (0.025, -1.959_963_984_540_054_5),
            (0.95, 1.644_853_626_951_472_2),
            (1e-10, -6.361_340_902_404_056),
        ] {
            assert!((inverse_cumulative(p) - x).abs() < 1e-12, "{p}");
            assert!((cumulative(x) / p - 1.0).abs() < 1e-9, "{x}");
        }
        for (degrees, quantile, below) in [
            (1.0, -12.706_204_736_174_705, 0.121_118_941_590_843_41),
            (9.0, -2.262_157_162_798_205, 0.016_930_913_841_492_867),
            (1998.0, -1.961_152_014_836_706, 0.006_249_466_148_293_304),
            (9999.0, -1.960_201_263_621_358, 0.006_217_610_570_010),
            (10_001.0, -1.960_201_216_164_641, 0.006_217_608_980_733),
            (1e6, -1.959_966_356_814_107, 0.006_209_744_751_082),
            (1e9, -1.959_963_986_912_325, 0.006_209_665_405_201),
        ] {
            assert!((student_inverse_cumulative(degrees, 0.025) - quantile).abs() < 1e-8);
            assert!((student_cumulative(degrees, -2.5) - below).abs() < 1e-8);
        }
    }
}
