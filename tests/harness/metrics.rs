//! Reads what `/metrics` says, strictly: the text has to be what Prometheus's own parser takes.

use std::collections::{BTreeMap, HashMap, HashSet};

/// Samples by name and labels, as they are written.
#[derive(Debug)]
pub struct Samples(BTreeMap<String, String>);

impl Samples {
    /// Parses the Prometheus text format 0.0.4, or `OpenMetrics` 1.0, whose end is marked.
    pub fn parse(text: &str, is_open_metrics: bool) -> Self {
        let mut types: HashMap<&str, &str> = HashMap::new();
        let mut helps = HashSet::new();
        let mut samples = BTreeMap::new();
        let body =
            if is_open_metrics { text.strip_suffix("# EOF\n").expect("the end is marked") } else { text };
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
                assert!(types.insert(name, kind).is_none(), "twice: {line}");
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(helps.insert(name) && help.len() > 10, "{line}");
            } else if !line.starts_with("# UNIT ") {
                let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
                let name = series.split('{').next().unwrap();
                let family = ["_bucket", "_sum", "_count", "_total"]
                    .iter()
                    .filter_map(|end| name.strip_suffix(end))
                    .chain([name])
                    .find(|family| types.contains_key(family))
                    .unwrap_or_else(|| panic!("no type: {line}"));
                assert!(helps.contains(family), "no help: {line}");
                let number: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
                assert!(number.is_finite() && number >= 0.0, "{line}");
                assert!(samples.insert(series.to_owned(), value.to_owned()).is_none(), "twice: {line}");
            }
        }
        Self(samples)
    }

    /// A sample that counts something; zero if it is not there.
    pub fn count(&self, series: &str) -> u64 {
        self.0.get(series).map_or(0, |value| value.trim_end_matches(".0").parse().unwrap())
    }

    /// A sample that measures something; zero if it is not there.
    pub fn value(&self, series: &str) -> f64 {
        self.0.get(series).map_or(0.0, |value| value.parse().unwrap())
    }

    /// Whether a sample's name and labels begin so.
    pub fn has(&self, start: &str) -> bool {
        self.0.keys().any(|series| series.starts_with(start))
    }
}
