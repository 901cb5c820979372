import jakarta.persistence.Entity;
import jakarta.persistence.EntityManager;
import jakarta.persistence.EntityManagerFactory;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.OptimisticLockException;
import jakarta.persistence.PersistenceException;
import jakarta.persistence.Table;
import jakarta.persistence.Version;
import java.io.StringReader;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.hibernate.StaleObjectStateException;
import org.hibernate.cfg.BatchSettings;
import org.hibernate.cfg.SchemaToolingSettings;
import org.hibernate.exception.GenericJDBCException;
import org.hibernate.jpa.HibernatePersistenceConfiguration;
import org.postgresql.util.PSQLException;

// begin setup
@Entity
@Table(name = "shops")
class Shop {
    @Id
    @GeneratedValue(strategy = GenerationType.IDENTITY)
    Long id;
    String name;
    int opens;
    @Version
    int version;
}

/** A migration, for Flyway or Liquibase. Here Hibernate makes the tables, and then runs this as its load script. */
class Migration {
    static final String SQL = """
        CREATE EXTENSION IF NOT EXISTS docstore;
        SELECT docstore.guard('shops');
        SELECT docstore.create_collection('cafes');
        """;
}
// end setup

/**
 * Hibernate: entities on a guarded table, docstore's functions, and what the error has. Hibernate compares the versions of entities that it updates
 * or deletes, and counts by itself what the guard stores. An update in HQL or SQL says nothing of versions: there the guard sees to it that the
 * version is raised, so that who has loaded the entity before hears of it, and that nothing is overwritten after a wait.
 * A delete in HQL or SQL has to ask for the version itself. What was refused is to be loaded again: see refusedObject().
 */
class HibernateClient {
    static EntityManagerFactory factory(String schema, String migration) {
        return new HibernatePersistenceConfiguration("shops").managedClass(Shop.class).jdbcUrl(Tap.url(schema)).jdbcPoolSize(10)
            .property(BatchSettings.STATEMENT_BATCH_SIZE, 20)
            .property(SchemaToolingSettings.JAKARTA_HBM2DDL_DATABASE_ACTION, "create")
            .property(SchemaToolingSettings.JAKARTA_HBM2DDL_LOAD_SCRIPT_SOURCE, new StringReader(migration))
            .createEntityManagerFactory();
    }

    // begin entity
    /** Stores a shop that was loaded in an earlier transaction. The one that is returned has the new version. */
    static Shop save(EntityManagerFactory factory, Shop shop) {
        return factory.callInTransaction(manager -> manager.merge(shop));
    }

    static void delete(EntityManagerFactory factory, Shop shop) {
        factory.runInTransaction(manager -> manager.remove(manager.merge(shop)));
    }
    // end entity

    // begin retry
    /** Somebody else was faster: the conflict, a serialization failure, a deadlock. */
    static final Set<String> AGAIN = Set.of("PT409", "40001", "40P01");

    /** Runs work, which loads and changes, in a transaction of its own, and repeats it when somebody else was faster. */
    static void retried(EntityManagerFactory factory, Consumer<EntityManager> work) throws InterruptedException {
        for (int attempt = 1; ; attempt++) {
            try {
                factory.runInTransaction(work);
                return;
            } catch (PersistenceException error) {
                if (attempt == 100 || !(stale(error) || AGAIN.contains(sqlState(error))))
                    throw error;
            }
            Thread.sleep((long) (Math.random() * Math.min(1000, 10 * Math.pow(2, attempt))));
        }
    }

    /** Hibernate's own conflict. COMMIT wraps it in a RollbackException. */
    static boolean stale(Throwable error) {
        return error instanceof OptimisticLockException || error != null && error.getCause() instanceof OptimisticLockException;
    }

    /** That of the server's error, which Hibernate wraps; empty when it has none. */
    static String sqlState(Throwable error) {
        for (var cause = error; cause != null; cause = cause.getCause())
            if (cause instanceof SQLException server)
                return server.getSQLState();
        return "";
    }
    // end retry

    static Shop add(EntityManagerFactory factory, String name) {
        var shop = new Shop();
        shop.name = name;
        shop.opens = 8;
        factory.runInTransaction(manager -> manager.persist(shop));
        return shop;
    }

    static Shop load(EntityManagerFactory factory, Object id) {
        return factory.callInTransaction(manager -> manager.find(Shop.class, id));
    }

    static void rename(EntityManagerFactory factory, Shop shop) {
        factory.runInTransaction(manager -> hql(manager, "update Shop set name = '" + shop.name + "' where id = " + shop.id));
    }

    static void renameVersioned(EntityManagerFactory factory, Shop shop) {
        factory.runInTransaction(manager -> hql(manager, "update versioned Shop set name = '" + shop.name + "' where id = " + shop.id));
    }

    static int hql(EntityManager manager, String update) {
        return manager.createQuery(update).executeUpdate();
    }

    static String state(EntityManagerFactory factory, Object id) {
        Shop shop = load(factory, id);
        return shop == null ? "gone" : shop.name + ", " + shop.opens + ", version " + shop.version;
    }

    /** Rows of a table that several people change. What Hibernate checks by itself is the same with and without a guard. */
    static void entities(EntityManagerFactory factory, String create, String update, String staleUpdate, String staleDelete) {
        Shop demel = add(factory, "Demel");
        Tap.same(demel.version, 0, create + ": a new shop has version 0, as Hibernate counts");
        Shop ann = load(factory, demel.id), ben = load(factory, demel.id);
        ann.opens = 7;
        Tap.same(save(factory, ann).version, 1, update + ": the shop is at version 1, and knows it");
        Tap.same(state(factory, demel.id), "Demel, 7, version 1", update + ": and so is its row");
        ben.name = "Demel's";
        var error = Tap.raises(() -> save(factory, ben), staleUpdate + ": of a shop loaded before is an error");
        Tap.ok(stale(error) && error.getCause() instanceof StaleObjectStateException found && found.getIdentifier().equals(demel.id),
            staleUpdate + ": Hibernate's own, which names it");
        error = Tap.raises(() -> factory.runInTransaction(manager -> {
            manager.find(Shop.class, demel.id).name = "Demel's";
            factory.runInTransaction(other -> other.find(Shop.class, demel.id).opens = 6);
        }), staleUpdate + ": in a transaction is an error");
        Tap.ok(stale(error), staleUpdate + ": Hibernate's own");
        Tap.same(state(factory, demel.id), "Demel, 6, version 2", staleUpdate + ": the row is as the other left it");
        Shop gone = add(factory, "gone");
        delete(factory, load(factory, gone.id));
        Tap.ok(stale(Tap.error(() -> save(factory, gone))), staleUpdate + ": so it is when the row is gone");
        Tap.ok(stale(Tap.error(() -> delete(factory, ben))), staleDelete + ": is Hibernate's error");
        Tap.same(state(factory, demel.id), "Demel, 6, version 2", staleDelete + ": the row is there");
    }

    /** Ten shops that one flush sends as a batch, of which one is stale. */
    static void batch(EntityManagerFactory factory) {
        var ids = new ArrayList<Long>();
        for (int n = 0; n < 10; n++)
            ids.add(add(factory, "shop").id);
        var error = Tap.raises(() -> factory.runInTransaction(manager -> {
            var shops = manager.createQuery("from Shop where name = 'shop' order by id", Shop.class).getResultList();
            shops.forEach(shop -> shop.opens = 5);
            factory.runInTransaction(other -> other.find(Shop.class, ids.get(4)).opens = 9);
        }), "batch: one stale shop of ten is an error");
        Tap.ok(stale(error) && error.getMessage().contains("[Shop with id '" + ids.get(4) + "']"), "batch: Hibernate's own, which names it");
        Tap.same(factory.callInTransaction(manager -> count(manager, "SELECT count(*)::int FROM shops WHERE opens = 5")), 0, "batch: nothing is stored");
    }

    /** The first session has changed a shop and not yet committed when the second update, of the shop as it was before, comes to it. */
    static Throwable race(EntityManagerFactory factory, Shop shop, BiConsumer<EntityManagerFactory, Shop> second) throws Exception {
        shop.name = "second";
        try (var first = factory.createEntityManager()) {
            first.getTransaction().begin();
            hql(first, "update versioned Shop set name = 'first' where id = " + shop.id);
            var result = Tap.waiting(() -> Tap.error(() -> second.accept(factory, shop)));
            first.getTransaction().commit();
            return result.get();
        }
    }

    static void twoSessions(EntityManagerFactory factory) throws Exception {
        Shop shop = add(factory, "Sperl");
        Tap.ok(stale(race(factory, shop, HibernateClient::saveLoaded)), "two sessions: Hibernate refuses an entity that was loaded before");
        Tap.same(state(factory, shop.id), "first, 8, version 1", "two sessions: the row is as the first left it");
        var error = race(factory, shop, HibernateClient::rename);
        Tap.ok(error instanceof GenericJDBCException && Conflict.violations(error).size() == 1, "two sessions: an HQL update that has waited is refused");
        Tap.same(state(factory, shop.id), "first, 8, version 2", "two sessions: the row is as the first left it");
        error = race(factory, shop, HibernateClient::renameVersioned);
        Tap.ok(Conflict.violations(error).size() == 1, "two sessions: a versioned HQL update that has waited is refused");
        Tap.same(state(factory, shop.id), "first, 8, version 3", "two sessions: the row is as the first left it");

        Tap.ok(stale(race(factory, load(factory, shop.id), HibernateClient::delete)), "two sessions: Hibernate refuses a delete that has waited");
        Tap.same(state(factory, shop.id), "first, 8, version 4", "two sessions: the row is as the first left it");

        error = Tap.error(() -> factory.runInTransaction(manager -> hql(manager, "update Shop set version = 2 where id = " + shop.id)));
        var row = Conflict.violations(error).get(0);
        Tap.same(List.of(row.get("kind").asString(), row.get("table").asString(), row.get("id").asString(), row.get("actual").asInt()),
            List.of("row", "public.shops", shop.id.toString(), 4), "stale update: in HQL, with an older version, is docstore's, which names the row");

        Shop before = load(factory, shop.id);
        rename(factory, shop);
        Tap.ok(stale(Tap.error(() -> save(factory, before))), "stale update: who loaded the shop before an HQL update hears of it");
        Tap.same(state(factory, shop.id), "second, 8, version 5", "stale update: the HQL update stays");
    }

    /** An object that was refused at the flush has got its next version all the same. Now nobody can tell it from one that was loaded later. */
    static void refusedObject(EntityManagerFactory factory) {
        Long id = add(factory, "Sluka").id;
        var refused = new Shop[1];
        var error = Tap.error(() -> factory.runInTransaction(manager -> {
            refused[0] = manager.find(Shop.class, id);
            refused[0].opens = 6;
            factory.runInTransaction(other -> other.find(Shop.class, id).name = "Cafe Sluka");
        }));
        Tap.ok(stale(error) && refused[0].version == 1, "stale update: the object that was refused has the version of the other's");
        save(factory, refused[0]);
        Tap.same(state(factory, id), "Sluka, 6, version 2", "stale update: so it passes when it is saved once more, and has to be loaded again instead");
    }

    /** Loads the shop in the transaction that changes it, so that its UPDATE waits. */
    static void saveLoaded(EntityManagerFactory factory, Shop shop) {
        factory.runInTransaction(manager -> manager.find(Shop.class, shop.id).name = shop.name);
    }

    static void alone(EntityManagerFactory guarded) throws Exception {
        guarded.runInTransaction(manager -> manager.createNativeQuery("CREATE SCHEMA alone").executeUpdate());
        try (var factory = factory("alone", "")) {
            entities(factory, "alone", "alone", "alone: stale update", "alone: stale delete");
            Shop shop = add(factory, "Sperl");
            Tap.ok(stale(race(factory, shop, HibernateClient::saveLoaded)), "alone: Hibernate refuses an entity that was loaded before");
            Tap.ok(race(factory, shop, HibernateClient::rename) == null, "alone: an HQL update that has waited is not refused");
            Tap.same(state(factory, shop.id), "second, 8, version 2", "alone: and overwrites what the first wrote");
            Tap.ok(race(factory, shop, HibernateClient::renameVersioned) == null, "alone: nor is a versioned one");
            Tap.same(state(factory, shop.id), "second, 8, version 4", "alone: and overwrites what the first wrote");

            Shop before = load(factory, shop.id);
            rename(factory, named(shop, "renamed"));
            before.opens = 9;
            Tap.ok(Tap.error(() -> save(factory, before)) == null, "alone: who loaded the shop before an HQL update does not hear of it");
            Tap.same(state(factory, shop.id), "second, 9, version 5", "alone: and overwrites it");
        }
    }

    static Shop named(Shop shop, String name) {
        shop.name = name;
        return shop;
    }

    // begin upsert
    static long upsert(EntityManager manager, String id, String data, long expected) {
        return (long) manager.createNativeQuery("SELECT docstore.upsert('cafes', :id, docstore.parse(:data), :expected)", Long.class)
            .setParameter("id", id).setParameter("data", data).setParameter("expected", expected).getSingleResult();
    }
    // end upsert

    static long upserted(EntityManagerFactory factory, String id, String data, long expected) {
        return factory.callInTransaction(manager -> upsert(manager, id, data, expected));
    }

    static int count(EntityManager manager, String query) {
        return (int) manager.createNativeQuery(query, Integer.class).getSingleResult();
    }

    static void functions(EntityManagerFactory factory) {
        Tap.same(upserted(factory, "mozart", "{\"opens\": 8}", 0), 1L, "upsert: a new document has version 1");
        Tap.same(upserted(factory, "mozart", "{\"opens\": 7}", 1), 2L, "upsert: answers with the version");
        var error = Tap.raises(() -> upserted(factory, "mozart", "{\"opens\": 6}", 1), "upsert: a stale version is an error");
        var server = ((PSQLException) ((GenericJDBCException) error).getSQLException()).getServerErrorMessage();
        Tap.same(List.of(server.getSQLState(), server.getConstraint(), server.getTable()), List.of("PT409", "docstore_expected_version", "cafes"),
            "upsert: with its SQLSTATE, constraint and table");

        var items = new ArrayList<String>();
        for (int n = 1; n <= 20; n++) {
            String id = "cafe-%02d".formatted(n);
            upserted(factory, id, "{\"opens\": 8}", 0);
            items.add("{\"op\": \"upsert\", \"collection\": \"cafes\", \"id\": \"" + id + "\", \"data\": {\"opens\": 7}, \"expected\": 1}");
        }
        for (String id : List.of("cafe-04", "cafe-11", "cafe-17"))
            upserted(factory, id, "{\"opens\": 9}", 1);
        var conflict = Tap.raises(() -> factory.runInTransaction(manager -> manager
            .createNativeQuery("SELECT version FROM docstore.save(docstore.parse(:items))", Long.class)
            .setParameter("items", items.toString()).getResultList()), "save: 3 stale items of 20 are an error");
        Tap.same(factory.callInTransaction(manager -> count(manager, "SELECT count(*)::int FROM cafes WHERE data ->> 'opens' = '7' AND id <> 'mozart'")),
            0, "save: nothing is stored");
        var found = new ArrayList<String>();
        for (var violation : Conflict.violations(conflict))
            found.add("%s %s %s %s %s".formatted(violation.get("item"), violation.get("id").asString(), violation.get("reason").asString(),
                violation.get("expected"), violation.get("actual")));
        Tap.same(found, List.of("4 cafe-04 stale 1 2", "11 cafe-11 stale 1 2", "17 cafe-17 stale 1 2"),
            "violations: all three, with what was expected and what is there");
    }

    /** Everybody counts one shop and one document up. */
    static void retries(EntityManagerFactory factory) throws Exception {
        Long id = add(factory, "counter").id;
        upserted(factory, "counter", "{\"n\": 0}", 0);
        String n = "SELECT (data ->> 'n')::int FROM docstore.load('cafes', 'counter')";
        var errors = Tap.atOnce(Tap.WORKERS, () -> {
            for (int time = 0; time < Tap.TIMES; time++) {
                retried(factory, manager -> manager.find(Shop.class, id).opens++);
                retried(factory, manager -> {
                    int version = count(manager, "SELECT version::int FROM docstore.load('cafes', 'counter')");
                    upsert(manager, "counter", "{\"n\": " + (count(manager, n) + 1) + "}", version);
                });
            }
        });
        Tap.same(errors, List.of(), "retry: nobody gives up");
        Tap.same(load(factory, id).opens, 8 + Tap.WORKERS * Tap.TIMES, "retry: no change of the shop is lost");
        Tap.same(factory.callInTransaction(manager -> count(manager, n)), Tap.WORKERS * Tap.TIMES, "retry: no change of the document is lost");
        var again = new Tap.Failing("PT409", "40001", "40P01");
        retried(factory, manager -> manager.createNativeQuery(again.statement()).executeUpdate());
        Tap.same(again.calls, 4, "retry: after a conflict, a serialization failure, a deadlock");
        var once = new Tap.Failing("23505");
        Tap.raises(() -> retried(factory, manager -> manager.createNativeQuery(once.statement()).executeUpdate()), "retry: not after others");
    }

    public static void main(String[] arguments) throws Exception {
        try (var factory = factory(null, Migration.SQL)) {
            entities(factory, "create", "update", "stale update", "stale delete");
            batch(factory);
            twoSessions(factory);
            refusedObject(factory);
            alone(factory);
            functions(factory);
            Tap.classes(statement -> factory.runInTransaction(manager -> manager.createNativeQuery(statement).getResultList()));
            retries(factory);
        }
        Tap.done();
    }
}
