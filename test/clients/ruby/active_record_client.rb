# Active Record: a model with lock_version on a guarded table, docstore's functions, and what the error has.
#
# Active Record compares the version that was loaded, in updates and deletes of records. What it does not compare is what update_all,
# increment! and update_columns send: without a guard, the one that has waited overwrites what it has not seen. After a rollback load a record
# again: Active Record leaves it as it was changed, with a version that the row does not have. And keep the schema as structure.sql: there is
# no guard in a schema.rb.
require "active_record"
require "json"
require "tap"

WORKERS = 4
TIMES = 20

# begin setup
class CreateShops < ActiveRecord::Migration[6.1]
  def up
    enable_extension "docstore"
    create_table :shops do |t|
      t.text :name, null: false
      t.integer :opens, null: false
      t.integer :lock_version, null: false, default: 0
    end
    execute "SELECT docstore.guard('shops', 'lock_version')"
    execute "SELECT docstore.create_collection('cafes')"
  end

  def down
    drop_table :cafes
    drop_table :shops
  end
end

class Shop < ActiveRecord::Base; end

class Cafe < ActiveRecord::Base
  self.table_name = "cafes"
end
# end setup

# begin violations
# The violations of docstore's conflict, as data; raises any other error again. Its cause is the driver's error.
def violations(error)
  raise error unless sqlstate(error) == "PT409"

  JSON.parse(error.cause.result.error_field(PG::Result::PG_DIAG_MESSAGE_DETAIL))["violations"]
end

def sqlstate(error)
  error.cause.result&.error_field(PG::Result::PG_DIAG_SQLSTATE) if error.cause.is_a?(PG::Error)
end
# end violations

# begin retry
AGAIN = %w[PT409 40001 40P01].freeze  # somebody else was faster: the conflict; the server's own; a deadlock

# Runs the block, which loads, changes and saves, in a transaction, and repeats it when somebody else was faster.
def retried(attempts: 10, &work)
  (1..attempts).each do |attempt|
    return ActiveRecord::Base.transaction(&work)
  rescue ActiveRecord::StaleObjectError, ActiveRecord::StatementInvalid => error
    again = error.is_a?(ActiveRecord::StaleObjectError) || AGAIN.include?(sqlstate(error))
    raise if !again || attempt == attempts

    sleep(rand * [1, 0.01 * 2**attempt].min)
  end
end
# end retry

# begin entity
# As an INSERT, which bypasses the query cache of a request and empties it. The cache would answer select_value.
def upsert(id, data, expected = nil)
  Cafe.connection.insert(Cafe.sanitize_sql(["SELECT docstore.upsert('cafes', ?, docstore.parse(?), ?)", id, data.to_json, expected]))
end
# end entity

def row(id)
  Shop.where(id: id).pick(:name, :opens, :lock_version)
end

# The same row, loaded twice, and the first one is saved.
def loaded_by_two(id)
  shop, stale = Shop.find(id), Shop.find(id)
  shop.update!(opens: shop.opens - 1)
  [shop, stale]
end

def in_own_connection(&work)
  ActiveRecord::Base.connection_pool.with_connection(&work)
end

# Two sessions change shop 1 at once, and the second, which may do something else, waits: what becomes of it, and of the row.
def race(change, late = change)
  thread = nil
  Shop.transaction do
    change.call("first")
    thread = Tap.waiting { in_own_connection { late.call("second") } }
  end
  [thread.value, row(1)]
end

def by_record(name)
  Shop.find(1).update!(name: name)
end

def in_sql(name)
  Shop.where(id: 1).update_all(["name = ?, lock_version = lock_version + 1", name])
end

# A record that several people change.
def entities
  shop = Shop.create!(name: "Demel", opens: 8)
  Tap.same([shop.lock_version, row(1)], [0, ["Demel", 8, 0]], "create: the record has version 0, as the row has")
  shop, stale = loaded_by_two(1)
  Tap.same([shop.lock_version, row(1)], [1, ["Demel", 7, 1]], "update: the record is at version 1, as the row is")
  shop.increment!(:opens, -1)
  Tap.same([shop.lock_version, row(1)], [2, ["Demel", 6, 2]], "update: so it is after increment!, which computes in SQL")
  error = Tap.raises(ActiveRecord::StaleObjectError, "stale update: is Active Record's own error") { stale.update!(name: "overwritten") }
  Tap.same([error.record, row(1)], [stale, ["Demel", 6, 2]], "stale update: which has the record, and the row is as the other left it")
  error = Tap.raises(ActiveRecord::StaleObjectError, "stale delete: is Active Record's own error") { stale.destroy! }
  Tap.same([error.record, row(1)], [stale, ["Demel", 6, 2]], "stale delete: which has the record, and the row is there")
  error = Tap.raises(ActiveRecord::StatementInvalid, "stale update: in SQL, with an older version, is docstore's") do
    Shop.where(id: 1).update_all(name: "overwritten", lock_version: 1)
  end
  Tap.same(violations(error), [{ "item" => 1, "op" => "update", "kind" => "row", "table" => "public.shops", "id" => "1", "reason" => "stale",
                                 "expected" => 1, "actual" => 2 }], "stale update: which names the row and both versions")
  gone = Shop.create!(id: 50, name: "Griensteidl", opens: 8)
  Shop.find(50).destroy!
  Tap.raises(ActiveRecord::StaleObjectError, "stale update: of a record that is gone is an error, too") { gone.update!(opens: 7) }
  shop.update_columns(opens: 5)
  Tap.raises(ActiveRecord::StaleObjectError, "update: update_columns leaves the record a version behind") { shop.update!(opens: 4) }
  shop.reload.update!(opens: 4)
  Tap.same(row(1), ["Demel", 4, 4], "update: until it is loaded again")
end

# Ten records, of which one is stale: saved in a transaction, and in one statement.
def batch
  Shop.insert_all!((2..11).map { |id| { id: id, name: "shop #{id}", opens: 8 } })
  shops = Shop.where(id: 2..11).order(:id).to_a
  loaded_by_two(6)
  shops.each { |shop| shop.opens = 5 }
  error = Tap.raises(ActiveRecord::StaleObjectError, "batch: one stale record of ten is Active Record's own error") do
    Shop.transaction { shops.each(&:save!) }
  end
  Tap.same(error.record.id, 6, "batch: which has the record")
  error = Tap.raises(ActiveRecord::StatementInvalid, "batch: upsert_all of ten is docstore's conflict") do
    Shop.upsert_all(Shop.where(id: 2..11).order(:id).map { |shop| shop.attributes.merge("opens" => 5, "lock_version" => 0) })
  end
  Tap.same(violations(error).map { |violation| violation["id"] }, ["6"], "batch: which names it")
  Tap.same(Shop.where(opens: 5).count, 0, "batch: nothing is stored")
end

def two_sessions
  outcome, left = race(method(:by_record))
  Tap.same([outcome.class, left], [ActiveRecord::StaleObjectError, ["first", 4, 5]], "two sessions: the record that has waited is stale")
  outcome, left = race(method(:in_sql))
  Tap.same(violations(outcome).map { |violation| violation["actual"] }, [6], "two sessions: update_all that has waited is docstore's conflict")
  Tap.same(left, ["first", 4, 6], "two sessions: the row is as the first left it")
  outcome, left = race(method(:in_sql), ->(_) { Shop.find(1).destroy! })
  Tap.same([outcome.class, left], [ActiveRecord::StaleObjectError, ["first", 4, 7]],
           "two sessions: a destroy! that has waited is told, and the row is there")
end

def alone
  kept = Shop.create!(id: 60, name: "Sperl", opens: 8)
  Shop.transaction { kept.update!(opens: 7) and raise ActiveRecord::Rollback }
  Shop.find(60).update!(opens: 9)
  kept.update!(name: "Cafe Sperl")
  Tap.same(row(60), ["Cafe Sperl", 7, 2], "alone: a record that was saved before a rollback has a version that it has not seen")
  Shop.connection.execute("SELECT docstore.unguard('shops')")
  _, stale = loaded_by_two(1)
  Tap.raises(ActiveRecord::StaleObjectError, "alone: a stale save is refused by Active Record") { stale.update!(name: "overwritten") }
  Tap.raises(ActiveRecord::StaleObjectError, "alone: a stale delete is refused by Active Record") { stale.destroy! }
  Tap.same(row(1), ["first", 3, 8], "alone: the row is as the other left it")
  Tap.same(race(method(:in_sql)), [1, ["second", 3, 10]], "alone: update_all that has waited overwrites, and nobody is told")
  Shop.connection.execute("SELECT docstore.guard('shops', 'lock_version')")
end

# Documents by docstore's functions.
def functions
  Tap.same([upsert("mozart", { opens: 8 }), upsert("mozart", { opens: 7 }, 1)], [1, 2], "upsert: answers with the version")
  versions = ActiveRecord::Base.cache { Array.new(2) { [upsert("sperl", { opens: 8 }, -1), Cafe.find("sperl").version] } }
  Tap.same(versions, [[1, 1], [2, 2]], "upsert: goes past the query cache")
  error = Tap.raises(ActiveRecord::StatementInvalid, "upsert: a stale version is an error") { upsert("mozart", { opens: 6 }, 1) }
  fields = [PG::Result::PG_DIAG_SQLSTATE, PG::Result::PG_DIAG_CONSTRAINT_NAME, PG::Result::PG_DIAG_TABLE_NAME]
  Tap.same(fields.map { |field| error.cause.result.error_field(field) }, %w[PT409 docstore_expected_version cafes],
           "upsert: with its SQLSTATE, constraint and table")

  ids = (1..20).map { |n| format("cafe-%02d", n) }
  ids.each { |id| upsert(id, { opens: 8 }) }
  %w[cafe-04 cafe-11 cafe-17].each { |id| upsert(id, { opens: 9 }, 1) }
  items = ids.map { |id| { op: "upsert", collection: "cafes", id: id, data: { opens: 7 }, expected: 1 } }
  error = Tap.raises(ActiveRecord::StatementInvalid, "save: 3 stale items of 20 are an error") do
    Cafe.connection.exec_query(Cafe.sanitize_sql(["SELECT * FROM docstore.save(docstore.parse(?))", items.to_json]))
  end
  Tap.same(Cafe.where("data ->> 'opens' = '7' AND id <> 'mozart'").count, 0, "save: nothing is stored")
  Tap.same(violations(error).map { |violation| violation.values_at("item", "id", "reason", "expected", "actual") },
           [[4, "cafe-04", "stale", 1, 2], [11, "cafe-11", "stale", 1, 2], [17, "cafe-17", "stale", 1, 2]],
           "violations: all three, with what was expected and what is there")
end

# Everybody counts one record and one document up.
def retries
  Shop.create!(id: 100, name: "counter", opens: 0)
  upsert("counter", { n: 0 })
  errors = Tap.at_once(WORKERS) do
    in_own_connection do
      TIMES.times do
        retried(attempts: 100) { shop = Shop.find(100) and shop.update!(opens: shop.opens + 1) }
        retried(attempts: 100) { cafe = Cafe.find("counter") and upsert(cafe.id, { n: cafe.data["n"] + 1 }, cafe.version) }
      end
    end
  end
  Tap.same(errors, [], "retry: nobody gives up")
  Tap.same([row(100)[1], Cafe.find("counter").data["n"]], [WORKERS * TIMES] * 2, "retry: nothing is lost")
  failing = lambda do |*codes|
    calls = 0
    retried do
      code = codes[(calls += 1) - 1]
      ActiveRecord::Base.connection.execute(code ? "DO $$ BEGIN RAISE SQLSTATE '#{code}'; END $$" : "SELECT 1")
    end
    calls
  end
  Tap.same(failing.call(*AGAIN), 4, "retry: after each of these errors")
  Tap.raises(ActiveRecord::StatementInvalid, "retry: not after others") { failing.call("23505") }
end

ActiveRecord::Base.establish_connection("#{ENV.fetch('DATABASE_URL')}?pool=10")
# As in a new application of Rails 6.1; later ones know nothing else.
ActiveRecord::Base.legacy_connection_handling = false if ActiveRecord::VERSION::MAJOR == 6
ActiveRecord::Migration.verbose = false
CreateShops.migrate(:up)
entities
batch
two_sessions
alone
functions
Tap.classes { |statement| ActiveRecord::Base.connection.execute(statement) }
retries
Tap.done
