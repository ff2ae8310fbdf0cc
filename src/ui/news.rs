//! News that stay until they are read: what failed, what is silent, what was mended. They stand below each other, so that
//! one never hides the way out that another one offers. `status.rs` draws them.

/// Most of them at a time; older ones are in the log.
const MOST: usize = 3;

/// What a banner is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something failed.
    Failure,
    /// The engine has said nothing for a while.
    Silent,
    /// Something failed and was mended without a person.
    Mended,
    /// Copies of unsaved changes cannot be written.
    Copies,
}

/// One of the news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Banner {
    /// In words.
    pub message: String,
    /// Whether a run can go on from its last checkpoint.
    pub can_resume: bool,
    /// Going on means from the start: there was no checkpoint yet.
    pub from_start: bool,
    /// What it is about.
    pub kind: Kind,
}

impl Banner {
    /// Bad news.
    pub(super) fn new(message: String, can_resume: bool) -> Self {
        Self { message, can_resume, from_start: false, kind: Kind::Failure }
    }

    /// Whether it makes way for another one.
    fn gives_way_to(&self, other: &Self) -> bool {
        let is_one_of_a_kind = matches!(self.kind, Kind::Silent | Kind::Copies) && self.kind == other.kind;
        is_one_of_a_kind || self.message == other.message || (self.can_resume && other.can_resume)
    }
}

/// All news that are not read yet, the newest last.
#[derive(Debug, Default)]
pub(super) struct News {
    all: Vec<Banner>,
}

impl News {
    /// The news, the newest last.
    pub(super) fn all(&self) -> &[Banner] {
        &self.all
    }

    /// The newest.
    pub(super) fn newest(&self) -> Option<&Banner> {
        self.all.last()
    }

    /// Whether one of them is of a kind.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.all.iter().any(|banner| banner.kind == kind)
    }

    /// Whether one of them offers to go on with a run.
    pub(super) fn can_resume(&self) -> bool {
        self.all.iter().any(|banner| banner.can_resume)
    }

    /// One more. The same thing is said once; of too many the oldest goes, but never the way to go on with a run.
    pub(super) fn add(&mut self, banner: Banner) {
        self.all.retain(|old| !old.gives_way_to(&banner));
        self.all.push(banner);
        if self.all.len() > MOST
            && let Some(at) = self.all.iter().position(|old| !old.can_resume)
        {
            self.all.remove(at);
        }
    }

    /// One was read.
    pub(super) fn dismiss(&mut self, at: usize) {
        if at < self.all.len() {
            self.all.remove(at);
        }
    }

    /// What was of a kind is over.
    pub(super) fn end(&mut self, kind: Kind) {
        self.all.retain(|banner| banner.kind != kind);
    }

    /// A run begins: what was said of the one before is old. What a run does not mend stays.
    pub(super) fn begin_run(&mut self) {
        self.all.retain(|banner| banner.kind == Kind::Copies);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(news: &News) -> Vec<&str> {
        news.all().iter().map(|banner| banner.message.as_str()).collect()
    }

    #[test]
    fn no_news_hide_the_way_to_go_on_with_a_run() {
        let mut news = News::default();
        news.add(Banner::new("killed".into(), true));
        for n in 0..10 {
            news.add(Banner::new(format!("disk {n}"), false));
        }
        assert_eq!(words(&news), ["killed", "disk 8", "disk 9"]);
        news.add(Banner::new("killed again".into(), true));
        assert_eq!(words(&news), ["disk 8", "disk 9", "killed again"]);
        news.dismiss(1);
        assert_eq!(words(&news), ["disk 8", "killed again"]);
    }

    #[test]
    fn the_same_is_said_once_and_a_new_run_leaves_only_what_it_does_not_mend() {
        let mut news = News::default();
        let copies = |words: &str| Banner { kind: Kind::Copies, ..Banner::new(words.into(), false) };
        for banner in [copies("full"), Banner::new("lost".into(), true), copies("read-only"), copies("read-only")] {
            news.add(banner);
        }
        assert_eq!(words(&news), ["lost", "read-only"]);
        news.begin_run();
        assert_eq!(words(&news), ["read-only"]);
        news.end(Kind::Copies);
        assert!(news.newest().is_none());
    }
}
