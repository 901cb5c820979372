<?php
// What the programs of PHP share: TAP, a second session, and waiting for a lock.
declare(strict_types=1);

final class Tap
{
    private static int $count = 0;
    private static int $failed = 0;

    /** One test; its name begins with that of a check (test/clients/checks). */
    public static function ok(bool $good, string $name): void
    {
        self::$count++;
        self::$failed += $good ? 0 : 1;
        printf("%s %d - %s\n", $good ? 'ok' : 'not ok', self::$count, $name);
    }

    public static function same(mixed $found, mixed $wanted, string $name): void
    {
        self::ok($found === $wanted, $name);
        if ($found !== $wanted) {
            printf("# found:  %s\n# wanted: %s\n", json_encode($found), json_encode($wanted));
        }
    }

    /** The error that $work() throws, null if it throws none or another. */
    public static function raises(string $class, callable $work, string $name): ?Throwable
    {
        try {
            $work();
        } catch (Throwable $error) {
            self::ok($error instanceof $class, $name);
            if ($error instanceof $class) {
                return $error;
            }
            fwrite(STDERR, "$error\n");
            return null;
        }
        self::ok(false, $name);
        return null;
    }

    /** For each SQLSTATE of a conflict $execute() gets a statement, and throws the class that docs/conflicts-and-retries.md names, whose method has it. */
    public static function classes(callable $execute): void
    {
        $method = rtrim(getenv('SQLSTATE'), '()');
        foreach (explode(' ', getenv('CLASSES')) as $each) {
            [$sqlstate, $name] = explode('=', $each);
            $error = self::raises(Exception::class, fn () => $execute("SELECT CASE WHEN set_config('docstore.conflict_sqlstate', '$sqlstate', true) <> ''
                THEN docstore.upsert('cafes', 'nobody', '{}', 7) END"), "class: $sqlstate is an exception");
            self::same($error === null ? null : (new ReflectionClass($error))->getShortName(), $name, "class: $sqlstate is what the documentation says");
            self::same($error?->$method(), $sqlstate, "class: $sqlstate is where the documentation says");
        }
    }

    /** The plan, and the exit status. */
    public static function done(): never
    {
        printf("1..%d\n", self::$count);
        exit(self::$failed ? 1 : 0);
    }
}

/** A second session: this program once more, with arguments. It answers with one value as JSON. */
final class Process
{
    private mixed $process;
    private array $pipes = [];

    public function __construct(string ...$arguments)
    {
        $this->process = proc_open([PHP_BINARY, $_SERVER['argv'][0], ...$arguments], [1 => ['pipe', 'w']], $this->pipes);
    }

    /** Comes back when it waits for a lock. */
    public function waits(): void
    {
        $watch = pg_connect('', PGSQL_CONNECT_FORCE_NEW);
        $deadline = time() + 60;
        while (!pg_fetch_result(pg_query($watch, "SELECT count(*) FROM pg_catalog.pg_stat_activity
                WHERE wait_event_type = 'Lock' AND datname = current_database()"), 0, 0)) {
            if (!proc_get_status($this->process)['running']) {
                throw new LogicException('nobody waits for a lock: ' . json_encode($this->answer()));
            }
            if (time() > $deadline) {
                proc_terminate($this->process);
                throw new LogicException('nobody waits for a lock');
            }
            usleep(10000);
        }
        pg_close($watch);
    }

    public function answer(): mixed
    {
        $answer = stream_get_contents($this->pipes[1]);
        proc_close($this->process);
        return json_decode($answer, true) ?? $answer;
    }
}
