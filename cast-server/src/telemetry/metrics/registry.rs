//! Where metrics are registered and rendered.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use super::catalog::{self, Kind, Metric};

/// The metrics of one server. Not the process's: tests run many servers in one.
pub(super) struct Registry(PrometheusRecorder);

const METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

impl Registry {
    /// One that knows the whole catalog, and has no series yet.
    pub(super) fn new() -> Self {
        let mut builder = PrometheusBuilder::new();
        for metric in catalog::ALL {
            if let Kind::Histogram(bounds) = metric.kind {
                let name = Matcher::Full(metric.name.into());
                let set = builder.set_buckets_for_metric(name, bounds);
                builder = set.expect("a histogram of the catalog has bounds");
            }
        }
        let recorder = builder.build_recorder();
        for metric in catalog::ALL {
            let (name, unit, help) = (metric.name.into(), None::<Unit>, metric.help.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, unit, help),
                Kind::Gauge => recorder.describe_gauge(name, unit, help),
                Kind::Histogram(_) => recorder.describe_histogram(name, unit, help),
            }
        }
        Self(recorder)
    }

    /// The series of a counter with these values of its labels. It is there from now on.
    pub(super) fn counter(&self, metric: &Metric, values: &[&str]) -> Counter {
        self.0.register_counter(&key(metric, values), &METADATA)
    }

    /// Likewise, of a gauge.
    pub(super) fn gauge(&self, metric: &Metric, values: &[&str]) -> Gauge {
        self.0.register_gauge(&key(metric, values), &METADATA)
    }

    /// Likewise, of a histogram.
    pub(super) fn histogram(&self, metric: &Metric, values: &[&str]) -> Histogram {
        self.0.register_histogram(&key(metric, values), &METADATA)
    }

    /// All series, in Prometheus' text format.
    pub(super) fn render(&self) -> String {
        self.0.handle().render()
    }

    /// Sums the values of histograms. Each value is kept until then: to be called now and then.
    pub(super) fn add_up(&self) {
        self.0.handle().run_upkeep();
    }
}

fn key(metric: &Metric, values: &[&str]) -> Key {
    assert_eq!(
        metric.labels.len(),
        values.len(),
        "{}: a value for each label",
        metric.name
    );
    let labels = metric.labels.iter().zip(values);
    let labels = labels.map(|(name, value)| Label::new(*name, (*value).to_owned()));
    Key::from_parts(metric.name, labels.collect::<Vec<_>>())
}
