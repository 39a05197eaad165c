//! The Theil-Sen line: a straight line through points that is robust against outliers.

use super::super::convert::median;
use super::super::interval::TooFew;
use super::series::Series;

/// Medians replace groups of neighbours above this, so that the slopes of all pairs fit into some 4 MB.
pub(super) const MAX_POINTS: usize = 1_000;

/// Times closer than this count as equal, so that no slope overflows.
const SAME_TIME: f64 = 1e-100;

/// A straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedLine {
    /// Change of the value per unit of time.
    pub slope: f64,
    /// The value at time 0.
    pub intercept: f64,
}

impl FittedLine {
    /// The value at a time.
    pub fn at(self, time: f64) -> f64 {
        self.intercept + self.slope * time
    }
}

/// The line whose slope is the median of the slopes of all pairs of points, through the medians of
/// time and value. Takes time and memory proportional to the square of the points; above 1,000, medians
/// replace groups of neighbours first.
///
/// Source: H. Theil (1950); P. K. Sen, Journal of the American Statistical Association 63 (1968),
/// 1379-1389. The intercept is that of `scipy.stats.theilslopes`.
///
/// # Errors
/// [`TooFew`] when no two points differ in time.
pub fn theil_sen(series: &Series) -> Result<FittedLine, TooFew> {
    let series = series.clone().condensed(MAX_POINTS);
    let mut slopes = Vec::new();
    let slope = median_slope(series.times(), series.values(), &mut slopes)
        .ok_or(TooFew { n: 1, needs: 2 })?;
    let middle = |values: &[f64]| median(&mut values.to_vec());
    Ok(FittedLine { slope, intercept: middle(series.values()) - slope * middle(series.times()) })
}

/// The median slope of all pairs; `None` when no two differ in time. `slopes` is a buffer.
pub(super) fn median_slope(times: &[f64], values: &[f64], slopes: &mut Vec<f64>) -> Option<f64> {
    slopes.clear();
    for (index, (time, value)) in times.iter().zip(values).enumerate() {
        let later = times[index + 1..].iter().zip(&values[index + 1..]);
        let apart = later.filter(|(other, _)| *other - time > SAME_TIME);
        slopes.extend(apart.map(|(other_time, other)| (other - value) / (other_time - time)));
    }
    (!slopes.is_empty()).then(|| median(slopes))
}

#[cfg(test)]
mod tests {
    use super::super::NILE;
    use super::*;

    /// Sen (1968), section 6: the slope is 4; `scipy.stats.theilslopes` gives 4 and 4.
    #[test]
    fn the_slope_is_that_of_sens_paper() {
        let times = [1.0, 2.0, 3.0, 4.0, 10.0, 12.0, 18.0];
        let values = [9.0, 15.0, 19.0, 20.0, 45.0, 55.0, 78.0];
        let line = theil_sen(&Series::new(times.into_iter().zip(values)).unwrap()).unwrap();
        assert!(
            (line.slope - 4.0).abs() < 1e-12 && (line.intercept - 4.0).abs() < 1e-12,
            "{line:?}"
        );
    }

    /// `scipy.stats.theilslopes(nile, numpy.arange(100))`: -2.6 and 1022.2.
    #[test]
    fn the_nile_falls_as_scipy_says() {
        let series = Series::new((0..).map(f64::from).zip(NILE)).unwrap();
        let line = theil_sen(&series).unwrap();
        assert!((line.slope + 2.6).abs() < 1e-12, "{line:?}");
        assert!((line.at(0.0) - 1022.2).abs() < 1e-9, "{line:?}");
    }

    #[test]
    fn a_line_through_many_points_is_that_line() {
        let series =
            Series::new((0..5000).map(|i| (f64::from(i), 3.0 + 0.5 * f64::from(i)))).unwrap();
        let line = theil_sen(&series).unwrap();
        assert!((line.slope - 0.5).abs() < 1e-9 && (line.intercept - 3.0).abs() < 1e-6, "{line:?}");
    }

    #[test]
    fn points_at_one_time_have_no_slope() {
        let few = Err(TooFew { n: 1, needs: 2 });
        assert_eq!(theil_sen(&Series::new([(1.0, 2.0)]).unwrap()), few);
        assert_eq!(theil_sen(&Series::new([(1.0, 2.0), (1.0, 3.0), (1.0, 9.0)]).unwrap()), few);
        let some = Series::new([(1.0, 2.0), (1.0, 4.0), (2.0, 5.0)]).unwrap();
        assert!((theil_sen(&some).unwrap().slope - 2.0).abs() < 1e-12);
        let flat = Series::new((0..50).map(|i| (f64::from(i), 7.0))).unwrap();
        assert_eq!(theil_sen(&flat).unwrap(), FittedLine { slope: 0.0, intercept: 7.0 });
    }
}
