import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/** What the programs of Java share: TAP, and waiting for a lock. */
class Tap {
    static final int WORKERS = 4, TIMES = 20;

    private static int count, failed;

    /** Something that can fail in any way. */
    interface Work {
        void run() throws Exception;
    }

    /** One test; its name begins with that of a check (test/clients/checks). */
    static boolean ok(boolean good, String name) {
        count++;
        if (!good)
            failed++;
        System.out.println((good ? "ok " : "not ok ") + count + " - " + name);
        return good;
    }

    static void same(Object found, Object wanted, String name) {
        if (!ok(Objects.equals(found, wanted), name))
            System.out.println("# found:  " + found + "\n# wanted: " + wanted);
    }

    /** The error that the work ends with. */
    static Throwable raises(Work work, String name) {
        Throwable error = error(work);
        ok(error != null, name);
        return error;
    }

    /** The error that the work ends with, null if it ends well. */
    static Throwable error(Work work) {
        try {
            work.run();
            return null;
        } catch (Exception error) {
            return error;
        }
    }

    /** What runs a statement. */
    interface Execution {
        void execute(String statement) throws Exception;
    }

    /**
     * For each SQLSTATE of a conflict the execution ends with an error of the class that docs/conflicts-and-retries.md names, and has the SQLSTATE
     * where it says.
     */
    static void classes(Execution execution) {
        for (String each : System.getenv("CLASSES").split(" ")) {
            String sqlstate = each.split("=")[0];
            Throwable error = raises(() -> execution.execute("SELECT CASE WHEN set_config('docstore.conflict_sqlstate', '" + sqlstate
                + "', true) <> '' THEN docstore.upsert('cafes', 'nobody', '{}', 7) END"), "class: " + sqlstate + " is an exception");
            same(error.getClass().getSimpleName(), each.split("=")[1], "class: " + sqlstate + " is what the documentation says");
            same(sqlstate(error), sqlstate, "class: " + sqlstate + " is where the documentation says");
        }
    }

    /** What is where the documentation says: the result of a method of the error, or of getSQLState() of the one of its causes that is of a class. */
    private static Object sqlstate(Throwable error) {
        String place = System.getenv("SQLSTATE");
        boolean isMethod = place.endsWith("()");
        Throwable holder = error;
        while (!isMethod && holder != null && !holder.getClass().getSimpleName().equals(place))
            holder = holder.getCause();
        try {
            return holder.getClass().getMethod(isMethod ? place.substring(0, place.length() - 2) : "getSQLState").invoke(holder);
        } catch (ReflectiveOperationException | NullPointerException failure) {
            return failure;
        }
    }

    /** The plan, and the exit status. */
    static void done() {
        System.out.println("1.." + count);
        System.exit(failed == 0 ? 0 : 1);
    }

    /** The database that the environment names; with a schema in place of "public" if it is not null. */
    static String url(String schema) {
        return "jdbc:postgresql://%s:%s/%s?user=%s&password=%s%s".formatted(System.getenv("PGHOST"), System.getenv("PGPORT"),
            System.getenv("PGDATABASE"), System.getenv("PGUSER"), System.getenv("PGPASSWORD"), schema == null ? "" : "&currentSchema=" + schema);
    }

    /** Starts the work in a thread of its own, and returns when its session waits for a lock. */
    static <T> FutureTask<T> waiting(Callable<T> work) throws Exception {
        var result = new FutureTask<>(work);
        long begun = System.nanoTime();
        try (Connection watch = DriverManager.getConnection(url(null))) {
            new Thread(result).start();
            while (!waits(watch)) {
                if (result.isDone() || System.nanoTime() - begun > TimeUnit.MINUTES.toNanos(1))
                    throw new IllegalStateException("nobody waits for a lock");
                Thread.sleep(10);
            }
        }
        return result;
    }

    private static boolean waits(Connection watch) throws SQLException {
        try (ResultSet rows = watch.createStatement().executeQuery("SELECT FROM pg_catalog.pg_stat_activity"
                + " WHERE wait_event_type = 'Lock' AND datname = current_database()")) {
            return rows.next();
        }
    }

    /** Ends with these errors, one call after the other, and then with none; counts the calls. */
    static class Failing {
        private final String[] codes;
        int calls;

        Failing(String... codes) {
            this.codes = codes;
        }

        String statement() {
            return ++calls > codes.length ? "DO $$ BEGIN END $$" : "DO $$ BEGIN RAISE SQLSTATE '" + codes[calls - 1] + "'; END $$";
        }
    }

    /** Runs the work as often as that at once; the errors they end with. */
    static List<Throwable> atOnce(int workers, Work work) throws InterruptedException {
        var errors = new ArrayList<Throwable>();
        var tasks = new ArrayList<FutureTask<Void>>();
        for (int worker = 0; worker < workers; worker++) {
            tasks.add(new FutureTask<>(() -> {
                work.run();
                return null;
            }));
            new Thread(tasks.get(worker)).start();
        }
        for (var task : tasks) {
            try {
                task.get();
            } catch (ExecutionException error) {
                errors.add(error.getCause());
            }
        }
        return errors;
    }
}
