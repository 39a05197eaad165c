//! A table as CSV: raw numbers, stable column names.

use std::io::Write;

use super::{Formats, GridLine, Table};
use crate::render::csv::write_record;

impl<R> Table<'_, R> {
    /// # Errors
    /// If writing fails.
    pub(crate) fn csv(&self, to: impl Write) -> csv::Result<()> {
        let grid = self.grid(Formats::CSV);
        let mut csv = csv::Writer::from_writer(to);
        write_record(&mut csv, grid.columns.iter().map(|column| column.heading))?;
        for line in &grid.lines {
            if let GridLine::Row(cells) = line {
                write_record(&mut csv, cells.iter().map(super::Cell::raw))?;
            }
        }
        csv.flush()?;
        Ok(())
    }
}
