//! The standard normal and Student's t distributions, as the other modules need them.

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

/// Student's t with at least one degree of freedom: the probability at or below `x`.
pub(super) fn student_cumulative(degrees: f64, x: f64) -> f64 {
    student(degrees).cdf(x)
}

/// Student's t with at least one degree of freedom: the value with probability `p` at or below it.
pub(super) fn student_inverse_cumulative(degrees: f64, p: f64) -> f64 {
    student(degrees).inverse_cdf(p)
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
        ] {
            assert!((student_inverse_cumulative(degrees, 0.025) - quantile).abs() < 1e-8);
            assert!((student_cumulative(degrees, -2.5) - below).abs() < 1e-8);
        }
    }
}
