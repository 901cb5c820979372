import java.sql.*;
import java.util.*;
import java.util.function.UnaryOperator;
import org.postgresql.util.PSQLException;

/**
 * Changes 20 coffee shops with docstore and JDBC, while somebody else changes 3 of them.
 *
 * <pre>java -cp postgresql.jar Shops.java 'jdbc:postgresql://host/database?user=...&amp;password=...'</pre>
 *
 * The database needs the extension, and gets a collection "shops".
 */
public class Shops {
    // begin README
    record Shop(long version, String data) {}

    static final Set<String> AGAIN = Set.of("PT409", "40001", "40P01");

    /** Loads shops, applies change to each, saves all of them or none; the connection is in auto-commit mode. */
    static void changeShops(Connection db, Collection<String> ids, UnaryOperator<String> change, int attempts)
            throws SQLException, InterruptedException {
        Map<String, Shop> shops = new TreeMap<>();
        for (int attempt = 1; ; attempt++) {
            try (var load = db.prepareStatement("SELECT id, version, data FROM docstore.load_many('shops', ?)")) {
                load.setArray(1, db.createArrayOf("text", missing(ids, shops)));
                for (var row = load.executeQuery(); row.next(); )
                    shops.put(row.getString(1), new Shop(row.getLong(2), change.apply(row.getString(3))));
            }
            if (missing(ids, shops).length > 0)
                throw new NoSuchElementException("not there: " + String.join(", ", missing(ids, shops)));
            try (var save = db.prepareStatement("SELECT docstore.upsert_many('shops', ?, docstore.parse_many(?), ?)")) {
                save.setArray(1, db.createArrayOf("text", shops.keySet().toArray()));
                save.setArray(2, db.createArrayOf("text", shops.values().stream().map(Shop::data).toArray()));
                save.setArray(3, db.createArrayOf("bigint", shops.values().stream().map(Shop::version).toArray()));
                save.executeQuery();
                return;
            } catch (PSQLException error) {
                if (!AGAIN.contains(error.getSQLState()) || attempt == attempts)
                    throw error;
                // Load and change only what is stale again.
                if ("PT409".equals(error.getSQLState()))
                    shops.keySet().removeAll(stale(db, error.getServerErrorMessage().getDetail(), ids));
            }
            Thread.sleep((long) (Math.random() * Math.min(1000, 10 * Math.pow(2, attempt))));
        }
    }

    static String[] missing(Collection<String> ids, Map<String, Shop> shops) {
        return ids.stream().filter(id -> !shops.containsKey(id)).toArray(String[]::new);
    }

    /** The ids in the DETAIL of a conflict, without a JSON library; all ids, if it lists only some. */
    static Collection<String> stale(Connection db, String detail, Collection<String> all) throws SQLException {
        Set<String> ids = new HashSet<>();
        int total = 0;
        try (var violations = db.prepareStatement("SELECT id, (?::jsonb -> 'total')::int FROM docstore.violations(?)")) {
            violations.setString(1, detail);
            violations.setString(2, detail);
            for (var row = violations.executeQuery(); row.next(); ) {
                ids.add(row.getString(1));
                total = row.getInt(2);
            }
        }
        return ids.size() == total ? ids : all;
    }
    // end README

    /** Load, change, save; and a conflict, when the same version is saved again. */
    static void oneShop(Connection db) throws SQLException {
        query(db, "SELECT docstore.upsert('shops', 'mozarts', '{\"name\": \"Mozart''s\", \"opens\": 8}')");
        Shop shop;
        try (var load = db.prepareStatement("SELECT version, data FROM docstore.load('shops', ?)")) {
            load.setString(1, "mozarts");
            var row = load.executeQuery();
            row.next();
            shop = new Shop(row.getLong(1), row.getString(2));
        }
        for (int time = 1; time <= 2; time++) {
            try (var save = db.prepareStatement("SELECT docstore.upsert('shops', ?, docstore.parse(?), ?)")) {
                save.setString(1, "mozarts");
                save.setString(2, anHourEarlier(shop.data()));
                save.setLong(3, shop.version());
                var row = save.executeQuery();
                row.next();
                System.out.println("mozarts is at version " + row.getLong(1));
            } catch (PSQLException error) {
                var fields = error.getServerErrorMessage();
                System.out.println(error.getSQLState() + " " + fields.getConstraint() + " " + fields.getTable());
                try (var violations = db.prepareStatement("SELECT id, reason, expected, actual FROM docstore.violations(?)")) {
                    violations.setString(1, fields.getDetail());
                    for (var row = violations.executeQuery(); row.next(); )
                        System.out.printf("%s is %s: expected %d, actual %d%n",
                                row.getString(1), row.getString(2), row.getLong(3), row.getLong(4));
                }
            }
        }
    }

    static int calls = 0;

    /** A batch of which 3 are stale by the time it is saved. */
    static void twentyShops(Connection db, Connection somebodyElse) throws SQLException, InterruptedException {
        List<String> ids = new ArrayList<>();
        for (int n = 1; n <= 20; n++)
            ids.add(String.format("shop-%02d", n));
        query(db, "SELECT docstore.upsert_many('shops', array_agg('shop-' || to_char(n, 'FM00')), "
                + "array_agg('{\"opens\": 8}'::jsonb), NULL) FROM generate_series(1, 20) AS n");

        changeShops(db, ids, shop -> {
            if (++calls == 1)
                withWifi(somebodyElse, List.of("shop-04", "shop-11", "shop-17"));
            return anHourEarlier(shop);
        }, 10);
        System.out.println("saved " + ids.size() + " shops after " + calls + " changes");
        System.out.println("now at version 3: "
                + query(db, "SELECT string_agg(id, ' ' ORDER BY id) FROM shops WHERE version = 3"));
        System.out.println("with both changes: " + query(db,
                "SELECT string_agg(id, ' ' ORDER BY id) FROM shops WHERE data @> '{\"opens\": 7, \"wifi\": true}'"));
    }

    /** A batch that is stale as a whole, and one with a shop that is deleted before it is saved. */
    static void manyShops(Connection db, Connection somebodyElse) throws SQLException, InterruptedException {
        List<String> ids = new ArrayList<>();
        for (int n = 1; n <= 600; n++)
            ids.add(String.format("shop-%03d", n));
        query(db, "SELECT docstore.upsert_many('shops', array_agg('shop-' || to_char(n, 'FM000')), "
                + "array_agg('{\"opens\": 8}'::jsonb), NULL) FROM generate_series(1, 600) AS n");

        calls = 0;
        changeShops(db, ids, shop -> {
            if (++calls == 1)
                withWifi(somebodyElse, ids);
            return anHourEarlier(shop);
        }, 10);
        System.out.println("saved " + ids.size() + " shops after " + calls + " changes");
        calls = 0;
        try {
            changeShops(db, ids.subList(0, 20), shop -> {
                if (++calls == 1)
                    close(somebodyElse, "shop-007");
                return shop.replace("\"opens\": 7", "\"opens\": 6");
            }, 10);
        } catch (NoSuchElementException error) {
            System.out.println(error.getMessage());
        }
        System.out.println("saved " + query(db, "SELECT count(*) FROM shops WHERE data @> '{\"opens\": 6}'") + " of the others");
    }

    static void withWifi(Connection db, Collection<String> ids) {
        try {
            changeShops(db, ids, shop -> shop.replace("}", ", \"wifi\": true}"), 10);
        } catch (SQLException | InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    static void close(Connection db, String id) {
        try {
            query(db, "SELECT docstore.delete('shops', '" + id + "', docstore.some_version())");
        } catch (SQLException error) {
            throw new IllegalStateException(error);
        }
    }

    /** What a program would do with its JSON library. */
    static String anHourEarlier(String shop) {
        return shop.replace("\"opens\": 8", "\"opens\": 7");
    }

    static String query(Connection db, String sql) throws SQLException {
        try (var statement = db.createStatement()) {
            var row = statement.executeQuery(sql);
            row.next();
            return row.getString(1);
        }
    }

    public static void main(String[] args) throws SQLException, InterruptedException {
        try (var db = DriverManager.getConnection(args[0]); var somebodyElse = DriverManager.getConnection(args[0])) {
            query(db, "SELECT docstore.create_collection('shops')");
            oneShop(db);
            twentyShops(db, somebodyElse);
            manyShops(db, somebodyElse);
        }
    }
}
