//! The walk from tags to manifests to blobs.
//!
//! One loop decides; everything that waits for the network or the disk is a task of its own in `transfers`. The loop
//! takes in all that has arrived, asks the catalog about all new digests at once, and starts what may start. The
//! first error ends the walk and every transfer with it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use registry::manifest::ImageConfig;
use registry::sync_plan::TagMap;
use registry::task::TaskState;
use registry::{Digest, Reference, Tag};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tracing::Instrument as _;
use upstream::FetchedManifest;

use super::configs::Configs;
use super::recorder::Recorder;
use super::source::{Head, Source};
use super::tags::Choice;
use crate::JobError;
use crate::reports::Reports;

/// How often the loop looks at the clock.
const TICK: Duration = Duration::from_millis(100);
/// How often progress is reported at most.
const REPORT_PERIOD: Duration = Duration::from_secs(1);

/// A question to the upstream about a manifest.
pub(super) enum Ask {
    /// What is it?
    Head(Reference),
    /// Send it. The number is how deep it lies under the first one.
    Get(Reference, usize),
}

/// A blob that some manifest needs.
pub(super) struct WantedBlob {
    pub(super) digest: Digest,
    /// `None` where the manifest doesn't tell (schema 1).
    pub(super) size_bytes: Option<u64>,
}

/// What a transfer came back with.
enum Arrival {
    Head(Reference, Head),
    Manifest { reference: Reference, depth: usize, fetched: Option<FetchedManifest> },
    Blob { wanted: WantedBlob, size_bytes: u64 },
    Config(Digest, ImageConfig),
}

/// What the upstream has of what was asked for.
#[derive(Default)]
pub(super) struct Found {
    /// Tags and what they name.
    pub(super) tags: TagMap,
    /// Tags that were asked for but aren't there.
    pub(super) missing: Vec<Tag>,
    /// Manifests that come along since they refer to others.
    pub(super) referrers: BTreeSet<Digest>,
}

pub(super) struct Walk {
    pub(super) source: Arc<Source>,
    /// Manifests that need no look: they were published, and so are whole.
    pub(super) whole: HashSet<Digest>,
    pub(super) found: Found,
    /// Digests that the filters name.
    pub(super) named_digests: Vec<Digest>,
    /// Tags of the upstream that may name lists of referrers, if its tags were listed.
    pub(super) listed_tags: Option<Arc<HashSet<Tag>>>,
    /// Questions that wait for their turn, and how many are being asked.
    pub(super) asks: VecDeque<Ask>,
    asking: usize,
    /// Every manifest that was met.
    pub(super) manifests: HashSet<Digest>,
    /// Those of them that the catalog has not been asked about, with their depth.
    pub(super) unknown_manifests: Vec<(Digest, usize)>,
    /// Every blob that was met, with its size.
    pub(super) blobs: HashMap<Digest, Option<u64>>,
    /// Those of them that the store has not been asked about.
    pub(super) unknown_blobs: Vec<WantedBlob>,
    /// Blobs that wait for their turn, and how many are on their way.
    pub(super) fetches: VecDeque<WantedBlob>,
    fetching: usize,
    pub(super) configs: Configs,
    pub(super) recorder: Recorder,
    transfers: JoinSet<Result<Arrival, JobError>>,
}

impl Walk {
    pub(super) fn new(source: Arc<Source>, whole: HashSet<Digest>, choice: Choice) -> Self {
        let Choice { asks, digests, referrer_tags } = choice;
        let recorder = Recorder::new(source.catalog.clone(), source.blobs.clone());
        // What is asked for by its digest needs no second look when a manifest names it too.
        let asked = asks.iter().filter_map(|ask| match ask {
            Ask::Get(Reference::Digest(digest), _) => Some(digest.clone()),
            _ => None,
        });
        Self {
            manifests: asked.collect(),
            source,
            whole,
            found: Found::default(),
            named_digests: digests,
            listed_tags: referrer_tags,
            asks: asks.into(),
            asking: 0,
            unknown_manifests: Vec::new(),
            blobs: HashMap::new(),
            unknown_blobs: Vec::new(),
            fetches: VecDeque::new(),
            fetching: 0,
            configs: Configs::default(),
            recorder,
            transfers: JoinSet::new(),
        }
    }

    /// Walks to the end: then everything that the found tags need is held and recorded.
    pub(super) async fn run(mut self, reports: &Reports) -> Result<Found, JobError> {
        let outcome = match self.walk(reports).await {
            Ok(()) => self.follow_referrers(reports).await,
            failed => failed,
        };
        self.transfers.shutdown().await;
        // What arrived whole stays, also after a failure.
        let recorded = self.recorder.flush().await;
        outcome.and(recorded).map(|()| self.found)
    }

    pub(super) async fn walk(&mut self, reports: &Reports) -> Result<(), JobError> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reported: Option<Instant> = None;
        loop {
            self.look_up_manifests().await?;
            self.look_up_blobs().await?;
            self.start_transfers();
            if self.asks.is_empty() && self.asking == 0 {
                self.source.progress.complete();
            }
            if self.transfers.is_empty() {
                return Ok(());
            }
            if reported.is_none_or(|at| at.elapsed() >= REPORT_PERIOD) {
                self.source.traffic.count_requests();
                reports.post(self.source.progress.reports(TaskState::Running)).await?;
                reported = Some(Instant::now());
            }
            self.recorder.flush_if_due().await?;
            tokio::select! {
                _ = ticks.tick() => {}
                Some(arrival) = self.transfers.join_next() => {
                    self.take_in(arrival)?;
                    while let Some(arrival) = self.transfers.try_join_next() {
                        self.take_in(arrival)?;
                    }
                }
            }
        }
    }

    /// Starts as many transfers as may run. Manifests are small and lead to more work: they get twice the places.
    fn start_transfers(&mut self) {
        let limit = self.source.concurrency();
        while self.asking < 2 * limit
            && let Some(ask) = self.asks.pop_front()
        {
            self.asking += 1;
            let may_be_missing = self.is_referrer(&ask);
            self.spawn(async move |source| match ask {
                Ask::Head(reference) => {
                    let head = source.head(&reference).await?;
                    Ok(Arrival::Head(reference, head))
                }
                Ask::Get(reference, depth) => {
                    let fetched = source.get_manifest(&reference, may_be_missing).await?;
                    Ok(Arrival::Manifest { reference, depth, fetched })
                }
            });
        }
        while self.fetching < limit
            && let Some(wanted) = self.fetches.pop_front()
        {
            self.fetching += 1;
            self.spawn(async move |source| {
                let size_bytes = source.fetch_blob(&wanted.digest, wanted.size_bytes).await?;
                Ok(Arrival::Blob { wanted, size_bytes })
            });
        }
    }

    fn is_referrer(&self, ask: &Ask) -> bool {
        matches!(ask, Ask::Get(Reference::Digest(digest), _) if self.found.referrers.contains(digest))
    }

    fn take_in(&mut self, arrival: Result<Result<Arrival, JobError>, JoinError>) -> Result<(), JobError> {
        match arrival.map_err(|_| JobError::Panicked)?? {
            Arrival::Head(reference, head) => {
                self.asking -= 1;
                self.take_head(reference, head);
                Ok(())
            }
            Arrival::Manifest { reference, depth, fetched } => {
                self.asking -= 1;
                self.take_fetched(&reference, depth, fetched)
            }
            Arrival::Blob { wanted, size_bytes } => {
                self.fetching -= 1;
                let unforeseen_bytes = if wanted.size_bytes.is_none() { size_bytes } else { 0 };
                self.source.progress.blob_fetched(unforeseen_bytes);
                self.recorder.add_blob(wanted.digest.clone(), size_bytes);
                self.blob_is_there(wanted.digest);
                Ok(())
            }
            Arrival::Config(digest, config) => {
                for manifest in self.configs.known(digest, &config) {
                    self.recorder.add_manifest(manifest);
                }
                Ok(())
            }
        }
    }

    fn spawn<F>(&mut self, transfer: impl FnOnce(Arc<Source>) -> F)
    where
        F: Future<Output = Result<Arrival, JobError>> + Send + 'static,
    {
        // What a transfer logs belongs to the task.
        self.transfers.spawn(transfer(Arc::clone(&self.source)).in_current_span());
    }

    /// Reads an image's configuration, which is in the store now.
    pub(super) fn read_config(&mut self, digest: Digest) {
        self.spawn(async move |source| {
            let bytes = source.blobs.read_small(&digest, ImageConfig::MAX_BYTES).await?;
            Ok(Arrival::Config(digest, ImageConfig::parse(&bytes)))
        });
    }
}
