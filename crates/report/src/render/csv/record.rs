//! One line of a CSV file, whatever its cells hold: names and messages come from outside.

use std::borrow::Cow;
use std::io::Write;

use crate::render::visible::visible;
use rushhour_core::units::is_invisible;

/// Writes a line. A text that a spreadsheet would take for a formula gets an apostrophe before it, which spreadsheets
/// know as the mark of a text (OWASP, CSV injection); numbers stay as they are.
pub(crate) fn write_record<W: Write>(
    csv: &mut csv::Writer<W>,
    cells: impl IntoIterator<Item = impl AsRef<str>>,
) -> csv::Result<()> {
    for cell in cells {
        csv.write_field(safe(cell.as_ref()).as_bytes())?;
    }
    csv.write_record(None::<&[u8]>)
}

fn safe(cell: &str) -> Cow<'_, str> {
    let begins_a_formula = cell.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]) && !is_number(cell);
    let is_plain = !cell.contains(is_invisible);
    match (begins_a_formula, is_plain) {
        (false, true) => Cow::Borrowed(cell),
        (false, false) => Cow::Owned(visible(cell)),
        (true, _) => Cow::Owned(format!("'{}", visible(cell))),
    }
}

/// Whether a cell is a number, as this crate writes numbers.
fn is_number(cell: &str) -> bool {
    cell.chars().all(|c| c.is_ascii_digit() || "+-.e".contains(c)) && cell.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula_and_numbers_stay_numbers() {
        for formula in ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "-", "=", "-inf", "＝1"]
        {
            assert!(safe(formula).starts_with('\''), "{formula}");
        }
        for plain in ["", "1", "-1", "-0.000123", "+5", "-1e-7", "a=b", "n/a", "30"] {
            assert_eq!(safe(plain), plain);
        }
        assert_eq!(safe("a\u{1b}[2J"), "a\u{fffd}[2J");
    }

    #[test]
    fn a_line_ends_where_it_should() {
        let mut csv = csv::Writer::from_writer(Vec::new());
        write_record(&mut csv, ["a", "=b,c"]).unwrap();
        write_record(&mut csv, ["1", "-2"]).unwrap();
        assert_eq!(csv.into_inner().unwrap(), b"a,\"'=b,c\"\n1,-2\n");
    }
}
