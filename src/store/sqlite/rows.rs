//! Statements that take many rows at once, made from the one that takes one.
//!
//! The driver runs each statement on a thread of its own. To go there and back costs several times what a row does, so
//! rows travel by the hundred. Few numbers of rows, since each makes a statement that is prepared once and kept.

use std::ops::Range;
use std::sync::Arc;

/// Rows a statement, most first. At most twelve columns: SQLite takes 32,766 parameters.
const STEPS: [usize; 4] = [512, 64, 8, 1];
const VALUES: &str = "VALUES (";

/// The statements of a table.
#[derive(Debug)]
pub(in crate::store) struct ManyRows([Arc<str>; STEPS.len()]);

impl ManyRows {
    /// From `INSERT … VALUES ($1, $2, …) …`.
    pub(in crate::store) fn new(one: &'static str) -> Self {
        let start = one.find(VALUES).expect("a statement of one row has its values") + VALUES.len() - 1;
        let length = one[start..].find(')').expect("values end") + 1;
        let (before, row, after) = (&one[..start], &one[start..start + length], &one[start + length..]);
        // Without numbers: the driver looks each name up.
        let row = format!("({})", vec!["?"; row.matches('$').count()].join(", "));
        Self(STEPS.map(|rows| format!("{before}{}{after}", vec![&*row; rows].join(", ")).into()))
    }

    /// Parts of so many rows, each with the statement that takes it.
    pub(super) fn parts(&self, rows: usize) -> impl Iterator<Item = (Range<usize>, Arc<str>)> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let (step, statement) = STEPS.iter().zip(&self.0).find(|(step, _)| start + **step <= rows)?;
            start += step;
            Some((start - step..start, Arc::clone(statement)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_repeated_and_nothing_else() {
        let many = ManyRows::new("INSERT INTO t (a, b)\nVALUES ($1, $2)\nON CONFLICT (a) DO NOTHING");
        let texts: Vec<_> = many.parts(9).map(|(rows, statement)| (rows, statement.to_string())).collect();
        let text =
            |values: &str| format!("INSERT INTO t (a, b)\nVALUES {values}\nON CONFLICT (a) DO NOTHING");
        assert_eq!(texts, [(0..8, text(&["(?, ?)"; 8].join(", "))), (8..9, text("(?, ?)"))]);
    }

    #[test]
    fn each_row_is_in_one_part() {
        let many = ManyRows::new("INSERT INTO t (a) VALUES ($1)");
        for rows in [0, 1, 7, 8, 63, 511, 512, 1_733] {
            let parts: Vec<_> = many.parts(rows).map(|(rows, _)| rows).collect();
            assert!(parts.len() < 3 * 7 + 2 + rows / 512);
            assert_eq!(parts.into_iter().flatten().collect::<Vec<_>>(), (0..rows).collect::<Vec<_>>());
        }
    }
}
