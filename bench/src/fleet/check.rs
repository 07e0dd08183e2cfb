//! Figures with what is promised of them, and the table of both.

use crate::table::{Table, figure};

/// What is promised of a figure.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// Nothing: it is told.
    Told,
}

/// A figure.
#[derive(Debug)]
pub struct Check {
    what: &'static str,
    unit: &'static str,
    bound: Bound,
    value: Option<f64>,
}

impl Check {
    /// Of a value; `None` is one that could not be had.
    pub fn new(
        what: &'static str,
        (bound, unit): (Bound, &'static str),
        value: Option<f64>,
    ) -> Self {
        Self {
            what,
            unit,
            bound,
            value,
        }
    }

    fn holds(&self) -> bool {
        match (self.bound, self.value) {
            (Bound::AtMost(most), Some(value)) => value <= most,
            (Bound::AtLeast(least), Some(value)) => value >= least,
            (Bound::Told, _) => true,
            (_, None) => false,
        }
    }

    fn promised(&self) -> Option<String> {
        let (sign, bound) = match self.bound {
            Bound::AtMost(most) => ("≤", most),
            Bound::AtLeast(least) => ("≥", least),
            Bound::Told => return None,
        };
        Some(format!("{} {sign} {bound} {}", self.what, self.unit))
    }

    fn measured(&self) -> String {
        // The figures of the table differ by powers of ten.
        let decimals = match self.value {
            Some(value) if value.abs() < 10.0 => 2,
            _ => 1,
        };
        let value = figure(self.value, decimals);
        let text = format!("{} {value} {}", self.what, self.unit);
        match self.holds() {
            true => text,
            false => format!("**{text}**"),
        }
    }
}

/// A case that was measured.
#[derive(Debug)]
pub struct Report {
    pub name: String,
    pub checks: Vec<Check>,
}

/// Prints them, what is missed in bold. Whether nothing is.
pub fn print(reports: &[Report]) -> bool {
    let mut table = Table::new(&["case", "promised", "measured", "kept"]);
    let all = |report: &Report| report.checks.iter().all(Check::holds);
    for report in reports {
        let checks = || report.checks.iter();
        let promised: Vec<String> = checks().filter_map(Check::promised).collect();
        let measured: Vec<String> = checks().map(Check::measured).collect();
        table.row(vec![
            report.name.clone(),
            promised.join("; "),
            measured.join("; "),
            if all(report) { "yes" } else { "no" }.into(),
        ]);
    }
    print!("{table}");
    reports.iter().all(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bound: Bound, value: Option<f64>) -> Check {
        Check::new("age p95", (bound, "ms"), value)
    }

    #[test]
    fn what_was_not_measured_is_not_kept() {
        assert!(check(Bound::AtMost(95.0), Some(95.0)).holds());
        assert!(!check(Bound::AtMost(95.0), Some(95.1)).holds());
        assert!(!check(Bound::AtLeast(29.0), Some(28.9)).holds());
        assert!(!check(Bound::AtMost(95.0), None).holds());
        assert!(check(Bound::Told, None).holds());
    }

    #[test]
    fn the_promise_and_what_came_of_it_are_told() {
        let missed = check(Bound::AtMost(95.0), Some(120.04));
        assert_eq!(missed.promised().as_deref(), Some("age p95 ≤ 95 ms"));
        assert_eq!(missed.measured(), "**age p95 120.0 ms**");
        let told = check(Bound::Told, Some(0.5));
        assert_eq!(
            (told.promised(), told.measured()),
            (None, "age p95 0.50 ms".into())
        );
    }
}
