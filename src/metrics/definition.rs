//! What a metric family is: its name, kind, labels and help. One constant each ([`super::families`]), from which the
//! page and its documentation are made.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::rollup::Histogram;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// A gauge that is always 1 and tells by its labels.
    Info,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

/// One metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// As queries name it: with its unit, a counter with `_total`.
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

impl Definition {
    pub const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, labels, help }
    }

    pub const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, labels, help }
    }

    pub const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Histogram, labels: &[], help }
    }

    pub const fn info(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Info, labels, help }
    }

    /// Without what the kind and the unit add, as encoders want it, and the unit.
    fn parts(&self) -> (&'static str, Option<Unit>) {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        let name = self.name.strip_suffix(suffix).expect("names end as their kind asks for");
        for (end, unit) in [("_bytes", Unit::Bytes), ("_seconds", Unit::Seconds)] {
            if let Some(name) = name.strip_suffix(end) {
                return (name, Some(unit));
            }
        }
        (name, None)
    }
}

/// A sample's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

/// Writes families, each once.
pub struct Page<'a>(pub DescriptorEncoder<'a>);

impl Page<'_> {
    /// A family with the samples that `write` adds.
    pub fn family(
        &mut self,
        definition: &Definition,
        write: impl FnOnce(&mut Samples<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let (name, unit) = definition.parts();
        let kind = match definition.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
            Kind::Info => MetricType::Info,
        };
        let encoder = self.0.encode_descriptor(name, definition.help, unit.as_ref(), kind)?;
        write(&mut Samples { definition, encoder })
    }

    /// A family without labels.
    pub fn single(&mut self, definition: &Definition, value: impl Into<Value>) -> fmt::Result {
        self.family(definition, |samples| samples.add(&[], value))
    }

    pub fn histogram(&mut self, definition: &Definition, histogram: &Histogram) -> fmt::Result {
        self.family(definition, |samples| samples.histogram(histogram))
    }
}

/// Writes samples of a family.
pub struct Samples<'a> {
    definition: &'a Definition,
    encoder: MetricEncoder<'a>,
}

impl Samples<'_> {
    /// `labels` in the order of the definition's.
    pub fn add(&mut self, labels: &[&str], value: impl Into<Value>) -> fmt::Result {
        let labels = LabelValues { names: self.definition.labels, values: labels };
        assert_eq!(labels.names.len(), labels.values.len(), "labels of {}", self.definition.name);
        let value = value.into();
        if self.definition.kind == Kind::Info {
            return self.encoder.encode_info(&labels);
        }
        if labels.names.is_empty() {
            return add(&mut self.encoder, self.definition.kind, value);
        }
        add(&mut self.encoder.encode_family(&labels)?, self.definition.kind, value)
    }

    fn histogram(&mut self, histogram: &Histogram) -> fmt::Result {
        let buckets: Vec<_> = histogram.buckets().collect();
        self.encoder.encode_histogram::<NoLabelSet>(histogram.sum(), histogram.count(), &buckets, None)
    }
}

fn add(encoder: &mut MetricEncoder<'_>, kind: Kind, value: Value) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Whole(value)) => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
        (Kind::Counter, Value::Real(value)) => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
        (_, Value::Whole(value)) => encoder.encode_gauge(&value),
        (_, Value::Real(value)) => encoder.encode_gauge(&value),
    }
}

struct LabelValues<'a> {
    names: &'a [&'static str],
    values: &'a [&'a str],
}

impl EncodeLabelSet for LabelValues<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for label in self.names.iter().zip(self.values) {
            prometheus_client::encoding::EncodeLabel::encode(&(*label.0, *label.1), encoder.encode_label())?;
        }
        Ok(())
    }
}
