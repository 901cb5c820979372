//! happenstance: its conformance suite for stores with dynamic consistency boundaries, over docstore.
//!
//! A store is a log, whose events have no stream. The suite knows what a decision has seen by a position, so its conditions are checked by
//! positions; what marks do beyond that is in test/stress/marks.

use std::cell::RefCell;
use std::error::Error as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::UNIX_EPOCH;

use base64::prelude::{Engine as _, BASE64_STANDARD};
use futures_core::Stream;
use happenstance_core::{
    AppendCondition, AppendError, ConditionViolated, Event, EventId, EventStore, Query, ReadOptions, RecordedAt, SequencePosition,
    SequencedEvent, StoreId, Tag, Tags,
};
use happenstance_testkit::{Capability, Fixture};
use postgres::{Client, NoTls, Row};
use serde_json::{json, Value};

fn connect() -> Client {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    Client::connect(&url, NoTls).expect("a session")
}

/// One log, which is dropped at the end.
struct Log {
    name: String,
    id: StoreId,
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = connect().batch_execute(&format!("DROP TABLE {0}, {0}_streams, {0}_consumers; DROP FUNCTION IF EXISTS {0}_fault", self.name));
    }
}

/// One session, and the log that it reads and writes.
struct Store {
    log: Arc<Log>,
    session: Mutex<Client>,
}

#[derive(Debug)]
struct StoreError(postgres::Error);

impl std::fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {:?}", self.0, self.0.source())
    }
}

impl std::error::Error for StoreError {}

/// What a query asks for, as scopes; each may say what is expected, too.
fn to_scopes(query: &Query, expected: Option<Value>) -> Vec<Value> {
    let filters = match query.items() {
        None => vec![json!({})],
        Some(items) => items
            .iter()
            .map(|item| {
                let mut scope = json!({});
                if !item.types().is_empty() {
                    scope["types"] = item.types().iter().map(|each| each.as_str()).collect();
                }
                if !item.tags().is_empty() {
                    scope["tags"] = item.tags().iter().map(|each| each.as_str()).collect();
                }
                scope
            })
            .collect(),
    };
    filters
        .into_iter()
        .map(|mut scope| {
            if let Some(expected) = &expected {
                scope["expected"] = expected.clone();
            }
            scope
        })
        .collect()
}

fn to_json(event: &Event) -> Value {
    let tags: Vec<&str> = event.tags().iter().map(Tag::as_str).collect();
    let mut json = json!({"type": event.event_type().as_str(), "tags": tags, "data": {"bytes": BASE64_STANDARD.encode(event.data())}});
    if let Some(metadata) = event.metadata() {
        json["metadata"] = json!({"bytes": BASE64_STANDARD.encode(metadata)});
    }
    json
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value["bytes"].as_str().expect("bytes")).expect("base64")
}

fn position(value: i64) -> SequencePosition {
    SequencePosition::new(value as u64).expect("a position")
}

impl Store {
    fn to_event(&self, row: &Row) -> SequencedEvent {
        let tags: Option<Vec<String>> = row.get("tags");
        let tags: Tags = tags.unwrap_or_default().into_iter().map(|tag| Tag::new(tag).expect("a tag")).collect();
        let kind: String = row.get("type");
        let mut event = Event::new(kind, bytes(&row.get("data"))).expect("an event").with_tags(tags);
        if let Some(metadata) = row.get::<_, Option<Value>>("metadata") {
            event = event.with_metadata(bytes(&metadata));
        }
        let recorded_at: std::time::SystemTime = row.get("recorded_at");
        let millis = recorded_at.duration_since(UNIX_EPOCH).expect("a time").as_millis() as i64;
        let place = position(row.get("log_position"));
        SequencedEvent::new(place, EventId::new(self.log.id, place), RecordedAt::from_millis(millis), event)
    }

    fn rows(&self, query: &Query, options: ReadOptions) -> Result<Vec<SequencedEvent>, StoreError> {
        let (low, high) = if options.backwards { (options.to, options.from) } else { (options.from, options.to) };
        let low = low.map_or(0, |low| low.get() as i64);
        let high = high.map_or(i64::MAX, |high| high.get() as i64);
        let order = if options.backwards { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT log_position, type, tags, data, metadata, recorded_at FROM docstore.read_scope($1::text::regclass, $2)
             WHERE log_position BETWEEN $3 AND $4 ORDER BY log_position {order} LIMIT $5"
        );
        let limit = options.limit.map(|limit| limit as i64);
        let rows = self
            .session
            .lock()
            .expect("the session")
            .query(&sql, &[&self.log.name, &Value::from(to_scopes(query, None)), &low, &high, &limit])
            .map_err(StoreError)?;
        Ok(rows.iter().map(|row| self.to_event(row)).collect())
    }
}

struct Rows(RefCell<std::vec::IntoIter<Result<SequencedEvent, StoreError>>>);

impl Stream for Rows {
    type Item = Result<SequencedEvent, StoreError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.borrow_mut().next())
    }
}

/// The position that a conflict names.
fn conflicting(error: &postgres::Error) -> Option<SequencePosition> {
    let detail: Value = serde_json::from_str(error.as_db_error()?.detail()?).ok()?;
    Some(position(detail["violations"][0]["actual"].as_i64()?))
}

impl EventStore for Store {
    type Error = StoreError;

    fn read(&self, query: &Query, options: ReadOptions) -> impl Stream<Item = Result<SequencedEvent, Self::Error>> {
        let rows: Vec<_> = match self.rows(query, options) {
            Ok(events) => events.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        Rows(RefCell::new(rows.into_iter()))
    }

    async fn append(&self, events: &[Event], condition: Option<&AppendCondition>) -> Result<SequencePosition, AppendError<Self::Error>> {
        if events.is_empty() {
            return Err(AppendError::NoEvents);
        }
        let events: Vec<Value> = events.iter().map(to_json).collect();
        let scopes: Option<Value> = condition.map(|condition| {
            let guards = condition.guards().iter();
            guards
                .flat_map(|guard| to_scopes(&guard.query, Some(guard.after.map_or(json!("none"), |after| json!(after.get())))))
                .collect()
        });
        let row = self.session.lock().expect("the session").query_one(
            "SELECT max(p) FROM docstore.append_to_log($1::text::regclass, $2, $3) p",
            &[&self.log.name, &Value::from(events), &scopes],
        );
        match row {
            Ok(row) => Ok(position(row.get(0))),
            Err(error) => match error.code().map(|code| code.code()) {
                Some("PT409") => Err(AppendError::ConditionViolated(match conflicting(&error) {
                    Some(position) => ConditionViolated::at(position),
                    None => ConditionViolated::unspecified(),
                })),
                Some("40001" | "40P01") => Err(AppendError::Busy(StoreError(error))),
                _ => Err(AppendError::Store(StoreError(error))),
            },
        }
    }

    async fn head(&self) -> Result<Option<SequencePosition>, Self::Error> {
        let sql = format!("SELECT max(log_position) FROM {}", self.log.name);
        let row = self.session.lock().expect("the session").query_one(&sql, &[]).map_err(StoreError)?;
        Ok(row.get::<_, Option<i64>>(0).map(position))
    }

    async fn contains_event_id(&self, id: EventId) -> Result<bool, Self::Error> {
        let sql = format!("SELECT count(*) FROM {} WHERE log_position = $1", self.log.name);
        let place = id.position().get() as i64;
        let row = self.session.lock().expect("the session").query_one(&sql, &[&place]).map_err(StoreError)?;
        Ok(id.store() == self.log.id && row.get::<_, i64>(0) > 0)
    }
}

struct LogFixture(Arc<Log>);

impl LogFixture {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("log_{}_{number}", std::process::id());
        let mut id = [0; 16];
        id[..4].copy_from_slice(&std::process::id().to_be_bytes());
        id[12..].copy_from_slice(&number.to_be_bytes());
        let mut session = connect();
        session.batch_execute("SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS docstore").expect("docstore");
        session.query("SELECT docstore.create_log($1)", &[&name]).expect("a log");
        Self(Arc::new(Log { name, id: StoreId::from_bytes(id) }))
    }
}

impl Fixture for LogFixture {
    type Store = Store;

    const SECOND_HANDLE: Capability = Capability::SUPPORTED;
    const REOPEN: Capability = Capability::SUPPORTED;
    const MID_BATCH_FAULT: Capability = Capability::SUPPORTED;
    const READ_FAULT: Capability = Capability::declined("a read is one statement, whose rows are all taken before the first one is given");
    const HELD_ABOVE_FRONTIER: Capability = Capability::declined("what is committed is shown to every read from then on");

    async fn connect(&self) -> Store {
        Store { log: Arc::clone(&self.0), session: Mutex::new(connect()) }
    }

    /// All that is in the process is its sessions.
    async fn reopen(&self) {}

    /// A trigger of the log's owner fails at an event after so many.
    async fn arm_mid_batch_fault(&self, after: usize) {
        let name = &self.0.name;
        let mut session = connect();
        let sql = format!("SELECT coalesce(max(log_position), 0) FROM {name}");
        let last: i64 = session.query_one(&sql, &[]).expect("the last position").get(0);
        session
            .batch_execute(&format!(
                "CREATE FUNCTION {name}_fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a fault'; END $$;
                 CREATE TRIGGER fault AFTER INSERT ON {name} FOR EACH ROW WHEN (NEW.log_position > {}) EXECUTE FUNCTION {name}_fault()",
                last + after as i64 - 1
            ))
            .expect("a trigger");
    }
}

happenstance_testkit::event_store_conformance!(mod_name = rules, emit = happenstance_testkit::emit_blocking, fixture = LogFixture::new());

happenstance_testkit::event_store_model_conformance!(mod_name = model, emit = happenstance_testkit::emit_model_blocking, fixture = LogFixture::new());

happenstance_testkit::event_store_concurrency_conformance!(
    mod_name = concurrency,
    emit = happenstance_testkit::emit_concurrency_blocking,
    fixture = LogFixture::new()
);
