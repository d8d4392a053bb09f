//! Modules, offers, and what is done about them.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use onwire::Instant;

use super::digest::Hasher;
use super::job::{Fetching, Job, Step};
use super::{
    Action, Block, Config, Fetch, FetchFailure, FetchId, Image, Offer, OfferError, Reason, Reply, Source, Stage,
    Updater,
};

/// How many reports of failures wait while there is no connection; the ones that came first are kept.
const MAX_FAILURES: usize = 8;

/// How much is read back at once for the digest.
const READ_BACK: usize = 1024;

/// A part of the device with a version of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    name: String,
    version: String,
    inform: bool,
    query: bool,
}

impl Module {
    /// A module (`default` is the device's firmware) and the version that it runs now.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into(), inform: false, query: false }
    }

    /// `module`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that it runs.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// What becomes of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offered {
    /// It is fetched.
    Started,
    /// It is what is being fetched already; its source is the one to use from now on.
    Continues,
    /// The module runs this version. It is reported again.
    Runs,
    /// It waits for another update to come to its end. After a restart before that it has to be offered again; the query that
    /// comes with every connection sees to it.
    Waits,
    /// Such an update is not possible, and reported so (step -1): an unknown module, or an image that is too large.
    Impossible,
}

struct Failure {
    module: String,
    reason: Reason,
    desc: String,
}

/// Updates of a device; see the [module](super).
pub struct Updates<U> {
    updater: U,
    config: Config,
    modules: Vec<Module>,
    job: Option<Job>,
    /// One for each module at the most.
    waiting: Vec<Offer>,
    failures: VecDeque<Failure>,
    online: bool,
    fetches: u32,
}

impl<U> core::fmt::Debug for Updates<U> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let image = self.job.as_ref().map(|job| (&job.offer.image, job.written));
        f.debug_struct("Updates").field("modules", &self.modules).field("image", &image).finish_non_exhaustive()
    }
}

impl<U: Updater> Updates<U> {
    /// Reads how far an update came before the device started, and goes on with it. `modules` with the versions that run now:
    /// where it is that of an update that was handed over, the update is complete; where it is not, it failed (step -4).
    ///
    /// # Errors
    /// Those of the updater's memory.
    pub async fn open(mut updater: U, modules: Vec<Module>, config: Config) -> Result<Self, U::Error> {
        let state = updater.state().await?;
        let mut updates = Self {
            updater,
            config,
            modules,
            job: None,
            waiting: Vec::new(),
            failures: VecDeque::new(),
            online: false,
            fetches: 0,
        };
        updates.config.block = updates.config.block.max(1);
        if let Some((offer, stage)) = state {
            updates.recover(offer, stage).await?;
        }
        Ok(updates)
    }

    async fn recover(&mut self, offer: Offer, stage: Stage) -> Result<(), U::Error> {
        let image = &offer.image;
        match (self.module(&image.module).map(|module| module.version == image.version), stage) {
            (Some(true), _) | (None, _) => self.updater.clear().await,
            (Some(false), Stage::Finished) => {
                self.updater.clear().await?;
                let desc = format!("{} does not run after the restart", image.version);
                self.report_failure(image.module.clone(), Reason::Flash, desc);
                Ok(())
            }
            (Some(false), Stage::Writing { written }) => {
                let mut job = Job::new(offer);
                (job.written, job.pieces) = (written, written > 0);
                job.step = if written >= job.size() { Step::Verify } else { Step::Fetch };
                self.job = Some(job);
                Ok(())
            }
            (Some(false), Stage::Finishing) => {
                let mut job = Job::new(offer);
                (job.written, job.step) = (job.size(), Step::Finish);
                self.job = Some(job);
                Ok(())
            }
        }
    }

    /// A message came that offers an update: a push, or the answer to a query, as it was on the wire. What it asks for in vain is
    /// reported (step -1): whoever planned the update waits for it otherwise.
    ///
    /// # Errors
    /// Why it is no offer. [`OfferError::Nothing`] and [`OfferError::Refused`] are not reported.
    pub async fn offered_message(&mut self, message: &str, now: Instant) -> Result<Offered, OfferError> {
        match Offer::from_message(message) {
            Ok(offer) => Ok(self.offered(offer, now).await),
            Err(error) => {
                if !matches!(error, OfferError::Nothing | OfferError::Refused(_)) {
                    self.report_failure(Offer::module_of(message), Reason::Upgrade, error.to_string());
                }
                Err(error)
            }
        }
    }

    /// An offer came, pushed or as an answer to a query.
    pub async fn offered(&mut self, offer: Offer, now: Instant) -> Offered {
        let Image { module, version, size, .. } = &offer.image;
        let Some(runs) = self.module(module).map(|known| known.version == *version) else {
            self.report_failure(module.clone(), Reason::Upgrade, "no such module".into());
            return Offered::Impossible;
        };
        if let Some(job) = self.job.as_mut().filter(|job| job.offer.image == offer.image) {
            // A URL is good for a time only; the new one is.
            if job.offer.source != offer.source {
                job.offer.source = offer.source;
                job.gone = false;
                job.fetching = Fetching::No { before: None };
            } else if let Fetching::No { before } = &mut job.fetching {
                *before = None;
            }
            return Offered::Continues;
        }
        if *size > self.updater.capacity(module) {
            self.report_failure(module.clone(), Reason::Upgrade, format!("{size} bytes are too many"));
            return Offered::Impossible;
        }
        self.waiting.retain(|waiting| waiting.image.module != *module);
        let replaces = self.job.as_ref().is_some_and(|job| job.offer.image.module == *module);
        // What is being handed over is not to be touched any more.
        let fixed = self.job.as_ref().is_some_and(|job| matches!(job.step, Step::Finish | Step::Restart));
        if runs {
            if let Some(known) = self.modules.iter_mut().find(|known| known.name == *module) {
                known.inform = true;
            }
            if replaces && !fixed {
                self.job = None;
                let _ = self.updater.clear().await;
            }
            return Offered::Runs;
        }
        if self.job.is_some() && (!replaces || fixed) {
            self.waiting.push(offer);
            return Offered::Waits;
        }
        self.job = Some(Job::new(offer));
        self.advance(now).await;
        Offered::Started
    }

    /// Bytes of a fetch, from `offset` on. Those that are here already are skipped; those behind a gap are not taken.
    pub async fn received(&mut self, fetch: FetchId, offset: u32, bytes: &[u8], now: Instant) -> Reply {
        let (current, block) = (self.fetches, self.config.block as usize);
        let Some(job) = self.job.as_mut().filter(|_| fetch.0 == current) else { return Reply::Enough };
        if job.step != Step::Fetch || !matches!(job.fetching, Fetching::Since { .. }) {
            return Reply::Enough;
        }
        let Some(skipped) = job.position().checked_sub(offset) else { return Reply::Enough };
        let left = (job.size() - job.position()) as usize;
        let mut bytes = bytes.get(skipped as usize..).unwrap_or_default();
        bytes = bytes.get(..left).unwrap_or(bytes);
        if !bytes.is_empty() {
            job.fetching = Fetching::Since { last: now };
        }
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at_checked(block - job.buffer.len()).unwrap_or((bytes, &[]));
            job.buffer.extend_from_slice(taken);
            bytes = rest;
            if job.buffer.len() == block || job.position() == job.size() {
                // If this future is dropped here, what is written is read from the updater.
                job.step = Step::Load;
                if let Err(error) = self.updater.write(job.written, &job.buffer).await {
                    self.fail(Reason::Flash, error.to_string()).await;
                    return Reply::Enough;
                }
                job.written = job.position();
                job.buffer.clear();
                (job.pauses, job.failures, job.gone) = (0, 0, false);
                job.step = if job.written == job.size() { Step::Verify } else { Step::Fetch };
            }
        }
        if job.step != Step::Fetch {
            return Reply::Enough;
        }
        if job.is_stream() && job.buffer.is_empty() {
            job.fetching = Fetching::No { before: None };
            return Reply::Enough;
        }
        Reply::More
    }

    /// The reply to a block's `thing.file.download` came, as it was on the wire. One that is broken, or a refusal, is a failure of
    /// the fetch.
    pub async fn block_received(&mut self, fetch: &Fetch, payload: &[u8], now: Instant) -> Reply {
        let failure = match Block::read(payload) {
            Ok(block) if block.file_length == fetch.size => {
                return self.received(fetch.id, block.offset, block.bytes, now).await;
            }
            Ok(block) => FetchFailure::Changed(format!("{} bytes instead of {}", block.file_length, fetch.size)),
            Err(error) => FetchFailure::Interrupted(error.to_string()),
        };
        self.fetch_failed(fetch.id, failure, now).await;
        Reply::Enough
    }

    /// A fetch ended before everything that it was to get was received.
    pub async fn fetch_failed(&mut self, fetch: FetchId, failure: FetchFailure, now: Instant) {
        let (current, online) = (self.fetches, self.online);
        let longest = self.config.retry_longest;
        let Some(job) = self.job.as_mut().filter(|_| fetch.0 == current) else { return };
        if !matches!((job.step, job.fetching), (Step::Fetch, Fetching::Since { .. })) {
            return;
        }
        job.pauses = job.pauses.saturating_add(1);
        job.failures = job.failures.saturating_add(u32::from(online));
        job.pieces = true;
        let doubled = self.config.retry_first.saturating_mul(1 << (job.pauses - 1).min(16));
        let mut pause = doubled.min(longest);
        match &failure {
            FetchFailure::Interrupted(_) => {}
            FetchFailure::Gone(_) if job.gone && online => {
                self.fail(Reason::Download, failure.to_string()).await;
                return;
            }
            FetchFailure::Gone(_) => {
                job.gone = true;
                let module = job.offer.image.module.clone();
                pause = longest;
                if let Some(module) = self.modules.iter_mut().find(|known| known.name == module) {
                    module.query = true;
                }
            }
            FetchFailure::Changed(_) if !job.restarted => {
                self.begin_anew().await;
                return;
            }
            FetchFailure::Changed(_) | FetchFailure::Impossible(_) => {
                self.fail(Reason::Download, failure.to_string()).await;
                return;
            }
        }
        if job.failures > self.config.retries {
            self.fail(Reason::Download, failure.to_string()).await;
            return;
        }
        job.fetching = Fetching::No { before: Some(now + pause) };
    }

    /// A module was started anew without the device, and runs this version: the same as [`open`](Updates::open) finds for the
    /// device's own restart.
    pub async fn restarted(&mut self, module: &str, version: &str) {
        let Some(known) = self.modules.iter_mut().find(|known| known.name == module) else { return };
        known.version = version.into();
        known.inform = true;
        let Some(job) = self.job.as_ref().filter(|job| job.offer.image.module == module) else { return };
        if job.offer.image.version == version {
            self.job = None;
            let _ = self.updater.clear().await;
        } else if job.step == Step::Restart {
            let desc = format!("{} does not run after the restart", job.offer.image.version);
            self.fail(Reason::Flash, desc).await;
        }
    }

    /// The connection to the platform is there: versions are reported, and the platform is asked for updates.
    pub fn connected(&mut self) {
        self.online = true;
        for module in &mut self.modules {
            module.inform = true;
            module.query = self.config.query;
        }
        if let Some(job) = &mut self.job {
            (job.pauses, job.failures, job.gone) = (0, 0, false);
            if let Fetching::No { before } = &mut job.fetching {
                *before = None;
            }
        }
    }

    /// The connection to the platform is gone. Downloads over HTTP go on.
    pub fn disconnected(&mut self) {
        self.online = false;
        if let Some(job) = self.job.as_mut().filter(|job| job.is_stream()) {
            job.fetching = Fetching::No { before: None };
        }
    }

    /// What to do next; ask until there is nothing, and again at the [`deadline`](Updates::deadline) and after whatever was
    /// handed in. The digest is taken here when everything is written, which takes as long as reading the image does.
    pub async fn poll(&mut self, now: Instant) -> Option<Action> {
        self.advance(now).await;
        if self.online
            && let Some(report) = self.report(now)
        {
            return Some(report);
        }
        let (block, online) = (self.config.block, self.online);
        let job = self.job.as_mut()?;
        match (job.step, job.fetching) {
            (Step::Fetch, Fetching::No { before }) => {
                if (job.is_stream() && !online) || before.is_some_and(|before| now < before) {
                    return None;
                }
                job.fetching = Fetching::Since { last: now };
                let rest = job.size() - job.position();
                let length = if job.is_stream() { rest.min(block - job.buffer.len() as u32) } else { rest };
                self.fetches = self.fetches.wrapping_add(1);
                let (source, offset) = (job.offer.source.clone(), job.position());
                Some(Action::Fetch(Fetch { id: FetchId(self.fetches), source, offset, length, size: job.size() }))
            }
            (Step::Restart, _) if !job.restart_said => {
                job.restart_said = true;
                let Image { module, version, .. } = job.offer.image.clone();
                Some(Action::Restart { module, version })
            }
            _ => None,
        }
    }

    /// When to [`poll`](Updates::poll) again; it may lie in the past, which is now. `None` if there is nothing to wait for.
    pub fn deadline(&self) -> Option<Instant> {
        let now = Some(Instant::default());
        if self.online && (!self.failures.is_empty() || self.modules.iter().any(|module| module.inform || module.query))
        {
            return now;
        }
        let Some(job) = &self.job else { return if self.waiting.is_empty() { None } else { now } };
        let next = match (job.step, job.fetching) {
            (Step::Load | Step::Verify | Step::Finish, _) => now,
            (Step::Restart, _) if !job.restart_said => now,
            (Step::Restart, _) => None,
            (Step::Fetch, Fetching::Since { last }) => Some(last + self.patience(job)),
            (Step::Fetch, Fetching::No { .. }) if job.is_stream() && !self.online => None,
            (Step::Fetch, Fetching::No { before }) => Some(before.unwrap_or_default()),
        };
        let report = self.progress_due(job).filter(|_| self.online);
        next.into_iter().chain(report).min()
    }

    /// The modules and the versions that they run.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The image that is on its way, and how many of its bytes are written.
    pub fn image(&self) -> Option<(&Image, u32)> {
        self.job.as_ref().map(|job| (&job.offer.image, job.written))
    }

    /// The updater.
    pub fn updater(&mut self) -> &mut U {
        &mut self.updater
    }

    fn module(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.name == name)
    }

    fn patience(&self, job: &Job) -> core::time::Duration {
        if job.is_stream() { self.config.block_timeout } else { self.config.stall_timeout }
    }

    /// When the next progress is to be reported, if there is one.
    fn progress_due(&self, job: &Job) -> Option<Instant> {
        let percent = job.percent();
        let step = job.reported.saturating_add(self.config.progress_step.clamp(1, 100));
        let worth = job.reported == 0 || percent >= step || (percent == 100 && job.reported < 100);
        let at = job.reported_at.map(|at| at + self.config.progress_interval).filter(|_| percent < 100);
        worth.then(|| at.unwrap_or_default())
    }

    fn report(&mut self, now: Instant) -> Option<Action> {
        if let Some(module) = self.modules.iter_mut().find(|module| module.inform) {
            module.inform = false;
            return Some(Action::Inform { module: module.name.clone(), version: module.version.clone() });
        }
        if let Some(Failure { module, reason, desc }) = self.failures.pop_front() {
            return Some(Action::Progress { module, step: reason.step(), desc });
        }
        if let Some(module) = self.modules.iter_mut().find(|module| module.query) {
            module.query = false;
            return Some(Action::Query { module: module.name.clone() });
        }
        let due = self.progress_due(self.job.as_ref()?)?;
        let job = self.job.as_mut().filter(|_| due <= now)?;
        let percent = job.percent();
        (job.reported, job.reported_at) = (percent, Some(now));
        let step = i8::try_from(percent).unwrap_or(100);
        Some(Action::Progress { module: job.offer.image.module.clone(), step, desc: String::new() })
    }

    /// Does what needs no one else, until something does.
    async fn advance(&mut self, now: Instant) {
        loop {
            if self.job.is_none() {
                if self.waiting.is_empty() {
                    return;
                }
                self.job = Some(Job::new(self.waiting.remove(0)));
            }
            let Some(job) = &self.job else { return };
            match (job.step, job.fetching) {
                (Step::Load, _) => self.load().await,
                (Step::Verify, _) => self.verify().await,
                (Step::Finish, _) => self.finish().await,
                (Step::Fetch, Fetching::Since { last }) if now >= last + self.patience(job) => {
                    let failure = FetchFailure::Interrupted("nothing came in time".into());
                    self.fetch_failed(FetchId(self.fetches), failure, now).await;
                }
                _ => return,
            }
        }
    }

    /// Takes up what the updater has of the image, or begins it.
    async fn load(&mut self) {
        let state = self.updater.state().await;
        let Some(job) = &mut self.job else { return };
        job.buffer.clear();
        job.fetching = Fetching::No { before: None };
        let written = match state {
            Ok(Some((offer, Stage::Writing { written }))) if offer.image == job.offer.image && !job.restarted => {
                written
            }
            Ok(_) => {
                if let Err(error) = self.updater.begin(&job.offer).await {
                    self.fail(Reason::Flash, error.to_string()).await;
                    return;
                }
                job.anew = false;
                0
            }
            Err(error) => {
                self.fail(Reason::Flash, error.to_string()).await;
                return;
            }
        };
        job.written = written;
        job.step = if written >= job.size() { Step::Verify } else { Step::Fetch };
    }

    async fn begin_anew(&mut self) {
        let Some(job) = &mut self.job else { return };
        *job = Job {
            restarted: true,
            reported: job.reported,
            reported_at: job.reported_at,
            ..Job::new(job.offer.clone())
        };
        self.load().await;
    }

    async fn verify(&mut self) {
        let Some(job) = &mut self.job else { return };
        let mut hasher = Hasher::new(&job.offer.image.digest);
        let mut bytes = vec![0; READ_BACK];
        let mut offset = 0;
        while offset < job.size() {
            let length = (job.size() - offset).min(READ_BACK as u32);
            let piece = bytes.get_mut(..length as usize).unwrap_or_default();
            if let Err(error) = self.updater.read(offset, piece).await {
                self.fail(Reason::Flash, error.to_string()).await;
                return;
            }
            hasher.update(piece);
            offset += length;
        }
        let found = hasher.finish();
        if found == job.offer.image.digest {
            job.step = Step::Finish;
        } else if job.pieces && !job.restarted && matches!(job.offer.source, Source::Url(_)) {
            self.begin_anew().await;
        } else {
            self.fail(Reason::Verify, format!("the digest is {found:?}")).await;
        }
    }

    async fn finish(&mut self) {
        if let Err(error) = self.updater.finish().await {
            self.fail(Reason::Flash, error.to_string()).await;
        } else if let Some(job) = &mut self.job {
            job.step = Step::Restart;
        }
    }

    async fn fail(&mut self, reason: Reason, desc: String) {
        let Some(job) = self.job.take() else { return };
        self.report_failure(job.offer.image.module, reason, desc);
        // If this fails too, the next start goes on with the image, which does no harm.
        let _ = self.updater.clear().await;
    }

    fn report_failure(&mut self, module: String, reason: Reason, desc: String) {
        if self.failures.len() < MAX_FAILURES {
            self.failures.push_back(Failure { module, reason, desc });
        }
    }
}
