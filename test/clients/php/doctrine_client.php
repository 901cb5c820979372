<?php
// Doctrine on pdo_pgsql: an entity with #[Version] on a guarded table, docstore's functions, and what the error has.
//
// Doctrine compares the version that was loaded in updates of entities, but not in remove(), and the guard does not see deletes: ask for the
// version. Nor does it compare in an UPDATE of DQL: without a guard, the one that has waited overwrites what it has not seen. A schema_filter
// (docstore's collections are no entities) keeps orm:schema-tool:update and migrations:diff from dropping them.
declare(strict_types=1);

require 'Doctrine/ORM/autoload.php';
require 'tap.php';

use Doctrine\DBAL\DriverManager;
use Doctrine\ORM\ORMSetup;
// begin setup
use Doctrine\DBAL\Connection;
use Doctrine\DBAL\Exception\DriverException;
use Doctrine\DBAL\Types\Types;
use Doctrine\ORM\EntityManager;
use Doctrine\ORM\Mapping as ORM;
use Doctrine\ORM\OptimisticLockException;
use Doctrine\ORM\Tools\SchemaTool;

#[ORM\Entity, ORM\Table(name: 'shops')]
class Shop
{
    #[ORM\Id, ORM\Column, ORM\GeneratedValue(strategy: 'IDENTITY')]
    public ?int $id = null;

    #[ORM\Column(type: 'integer'), ORM\Version]
    public int $version;

    public function __construct(
        #[ORM\Column(type: 'text')] public string $name,
        #[ORM\Column] public int $opens,
    ) {
    }
}

/** In a migration each of these is an $this->addSql(). */
function set_up(EntityManager $em): void
{
    $em->getConnection()->executeStatement('CREATE EXTENSION IF NOT EXISTS docstore');
    (new SchemaTool($em))->createSchema([$em->getClassMetadata(Shop::class)]);
    $em->getConnection()->executeStatement("SELECT docstore.guard('shops', strict => true)");
    $em->getConnection()->executeStatement("SELECT docstore.create_collection('cafes')");
}
// end setup

const WORKERS = 4, TIMES = 20;

// begin violations
/** The violations of docstore's conflict, as rows; raises any other error again. PDO puts the DETAIL into the message, which is enough. */
function violations(Connection $connection, DriverException $error): array
{
    if ($error->getSQLState() !== 'PT409') {
        throw $error;
    }
    return $connection->fetchAllAssociative('SELECT * FROM docstore.violations(?)', [$error->getMessage()]);
}
// end violations

// begin entity
/** Instead of remove() and flush(), which delete the row at any version. */
function delete_shop(EntityManager $em, Shop $shop): void
{
    $deleted = $em->createQuery('DELETE Shop s WHERE s.id = :id AND s.version = :version')
        ->execute(['id' => $shop->id, 'version' => $shop->version]);
    if ($deleted === 0) {
        throw OptimisticLockException::lockFailed($shop);
    }
    $em->detach($shop);
}
// end entity

// begin retry
function entity_manager(Connection $connection): EntityManager
{
    static $configuration = null;
    $configuration ??= ORMSetup::createAttributeMetadataConfiguration([__DIR__], true);
    return new EntityManager($connection, $configuration);
}

/** Somebody else was faster: the conflict, a serialization failure, a deadlock. */
const AGAIN = ['PT409', '40001', '40P01'];

/** Runs $work($em), which loads and changes, in a transaction, and repeats it when somebody else was faster. */
function retried(Connection $connection, callable $work, int $attempts = 10): mixed
{
    for ($attempt = 1; ; $attempt++) {
        $em = entity_manager($connection);  // a new one, because the one that has failed is closed
        try {
            return $em->wrapInTransaction($work);
        } catch (OptimisticLockException | DriverException $error) {
            $again = $error instanceof OptimisticLockException || in_array($error->getSQLState(), AGAIN, true);
            if (!$again || $attempt === $attempts) {
                throw $error;
            }
        }
        usleep(random_int(0, min(1_000_000, 10_000 * 2 ** $attempt)));
    }
}
// end retry

function connection(string $driver = 'pdo_pgsql'): Connection
{
    return DriverManager::getConnection(['driver' => $driver, 'host' => getenv('PGHOST'), 'port' => (int) getenv('PGPORT'),
        'user' => getenv('PGUSER'), 'password' => getenv('PGPASSWORD'), 'dbname' => getenv('PGDATABASE')]);
}

function row(int $id): array|false
{
    return connection()->fetchNumeric('SELECT name, opens, version FROM shops WHERE id = ?', [$id]);
}

/** A unit of work that has loaded a row which another one has changed since: its EntityManager, and the stale entity; and the other's entity. */
function loaded_by_two(int $id): array
{
    $ann = entity_manager(connection());
    $ben = entity_manager(connection());
    [$shop, $stale] = [$ann->find(Shop::class, $id), $ben->find(Shop::class, $id)];
    $shop->opens--;
    $ann->flush();
    return [$ben, $stale, $shop];
}

/** What becomes of work, as data. */
function outcome(Connection $connection, callable $work): mixed
{
    try {
        return $work();
    } catch (OptimisticLockException) {
        return 'OptimisticLockException';
    } catch (DriverException $error) {
        return ['actual' => array_column(violations($connection, $error), 'actual')];
    }
}

function by_entity(EntityManager $em, string $name): ?int
{
    $shop = $em->find(Shop::class, 1);
    $shop->name = $name;
    $em->flush();
    return $shop->version;
}

function by_delete(EntityManager $em): void
{
    delete_shop($em, $em->find(Shop::class, 1));
}

function in_sql(EntityManager $em, string $name): int
{
    return $em->createQuery('UPDATE Shop s SET s.name = :name, s.version = s.version + 1 WHERE s.id = 1')->execute(['name' => $name]);
}

/** Two sessions change shop 1 at once, and the second, which may do something else, waits: what becomes of it, and of the row. */
function race(string $change, ?string $late = null): array
{
    $em = entity_manager(connection());
    $second = $em->wrapInTransaction(function (EntityManager $em) use ($change, $late): Process {
        $change($em, 'first');
        $second = new Process($late ?? $change);
        $second->waits();
        return $second;
    });
    return [$second->answer(), row(1)];
}

/** An entity that several people change. */
function entities(Connection $connection): void
{
    $em = entity_manager($connection);
    $em->persist($shop = new Shop('Demel', 8));
    $em->flush();
    Tap::same([$shop->version, row(1)], [1, ['Demel', 8, 1]], 'create: the entity has version 1, as the row has');
    [$em, $stale, $shop] = loaded_by_two(1);
    Tap::same([$shop->version, row(1)], [2, ['Demel', 7, 2]], 'update: the entity is at version 2, as the row is');

    Tap::raises(OptimisticLockException::class, fn () => delete_shop($em, $stale), 'stale delete: is an error');
    Tap::same(row(1), ['Demel', 7, 2], 'stale delete: the row is there');
    $stale->name = 'overwritten';
    $error = Tap::raises(OptimisticLockException::class, fn () => $em->flush(), "stale update: is Doctrine's own error");
    Tap::same([$error->getEntity() === $stale, row(1)], [true, ['Demel', 7, 2]],
        'stale update: which has the entity, and the row is as the other left it');
    $em = entity_manager($connection);
    $em->persist($gone = new Shop('Griensteidl', 8));
    $em->flush();
    $connection->executeStatement('DELETE FROM shops WHERE id = ?', [$gone->id]);
    $gone->name = 'lost';
    Tap::raises(OptimisticLockException::class, fn () => $em->flush(), 'stale update: so it is when the row is gone');
    $update = entity_manager($connection)->createQuery("UPDATE Shop s SET s.name = 'overwritten', s.version = 1 WHERE s.id = 1");
    $error = Tap::raises(DriverException::class, fn () => $update->execute(), "stale update: in DQL, with an older version, is docstore's");
    Tap::same(violations($connection, $error), [['item' => 1, 'op' => 'update', 'kind' => 'row', 'target' => 'public.shops', 'id' => '1',
        'reason' => 'stale', 'expected' => 1, 'actual' => 2]], 'stale update: which names the row and both versions');
}

/** Ten entities in a flush, of which one is stale. */
function batch(Connection $connection): void
{
    $em = entity_manager($connection);
    $shops = array_map(fn (int $n) => new Shop("shop $n", 8), range(2, 11));
    array_walk($shops, $em->persist(...));
    $em->flush();
    loaded_by_two(6);
    foreach ($shops as $shop) {
        $shop->opens = 5;
    }
    $error = Tap::raises(OptimisticLockException::class, fn () => $em->flush(), "batch: one stale entity of ten is Doctrine's own error");
    Tap::same($error->getEntity()->id, 6, 'batch: which has the entity');
    Tap::same($connection->fetchOne('SELECT count(*) FROM shops WHERE opens = 5'), 0, 'batch: nothing is stored');
}

function two_sessions(): void
{
    Tap::same(race('by_entity'), ['OptimisticLockException', ['first', 7, 3]], 'two sessions: the entity that has waited is stale');
    Tap::same(race('in_sql'), [['actual' => [4]], ['first', 7, 4]], "two sessions: an UPDATE of DQL that has waited is docstore's conflict");
    Tap::same(race('in_sql', 'by_delete'), ['OptimisticLockException', ['first', 7, 5]], 'two sessions: a delete that has waited is told, and the row is there');
}

function alone(Connection $connection): void
{
    $connection->executeStatement("SELECT docstore.unguard('shops')");
    [$em, $stale] = loaded_by_two(1);
    $stale->name = 'overwritten';
    Tap::raises(OptimisticLockException::class, fn () => $em->flush(), 'alone: a stale save is refused by Doctrine');
    Tap::same(race('in_sql'), [1, ['second', 6, 8]], 'alone: an UPDATE of DQL that has waited overwrites, and nobody is told');
    [$em, $stale] = loaded_by_two(11);
    $em->remove($stale);
    $em->flush();
    Tap::same(row(11), false, 'alone: remove() deletes what somebody else has changed');
    $connection->executeStatement("SELECT docstore.guard('shops', strict => true)");
}

// begin upsert
function upsert(Connection $connection, string $id, array|object $data, ?int $expected = null): int
{
    return $connection->fetchOne("SELECT docstore.upsert('cafes', ?, docstore.parse(?), ?)", [$id, $data, $expected], [Types::TEXT, Types::JSON, Types::INTEGER]);
}
// end upsert

/** Documents by docstore's functions. */
function functions(Connection $connection): void
{
    Tap::same([upsert($connection, 'mozart', ['opens' => 8]), upsert($connection, 'mozart', ['opens' => 7], 1)], [1, 2],
        'upsert: answers with the version');
    $error = Tap::raises(DriverException::class, fn () => upsert($connection, 'mozart', ['opens' => 6], 1), 'upsert: a stale version is an error');
    Tap::same($error->getSQLState(), 'PT409', 'upsert: with its SQLSTATE');

    $ids = array_map(fn (int $n) => sprintf('cafe-%02d', $n), range(1, 20));
    foreach ($ids as $id) {
        upsert($connection, $id, ['opens' => 8]);
    }
    foreach (['cafe-04', 'cafe-11', 'cafe-17'] as $id) {
        upsert($connection, $id, ['opens' => 9], 1);
    }
    $items = array_map(fn (string $id) => ['op' => 'upsert', 'collection' => 'cafes', 'id' => $id, 'data' => ['opens' => 7], 'expected' => 1], $ids);
    $save = fn () => $connection->fetchAllAssociative('SELECT * FROM docstore.save(docstore.parse(?))', [$items], [Types::JSON]);
    $error = Tap::raises(DriverException::class, $save, 'save: 3 stale items of 20 are an error');
    Tap::same($connection->fetchOne("SELECT count(*) FROM cafes WHERE data ->> 'opens' = '7' AND id <> 'mozart'"), 0, 'save: nothing is stored');
    $wanted = array_map(fn (int $n) => ['item' => $n, 'id' => $ids[$n - 1], 'reason' => 'stale', 'expected' => 1, 'actual' => 2], [4, 11, 17]);
    $shown = ['item' => 0, 'id' => 0, 'reason' => 0, 'expected' => 0, 'actual' => 0];
    Tap::same(array_map(fn (array $row) => array_intersect_key($row, $shown), violations($connection, $error)), $wanted,
        'violations: all three, with what was expected and what is there');

    // The driver pgsql keeps nothing of an error but its message. With that, let docstore return the violations.
    $native = connection('pgsql');
    $error = Tap::raises(DriverException::class, fn () => upsert($native, 'mozart', ['opens' => 6], 1), 'violations: the driver pgsql');
    Tap::same([$error->getSQLState(), str_contains($error->getMessage(), 'violations')], ['PT409', false], 'violations: has no DETAIL');
    $rows = $native->fetchAllAssociative('SELECT item, id, reason, expected, actual FROM docstore.try_save(?) WHERE reason IS NOT NULL',
        [$items], [Types::JSON]);
    Tap::same($rows, $wanted, 'violations: try_save returns them');
}

/** Everybody counts one entity and one document up. */
function retries(Connection $connection): void
{
    $connection->executeStatement("INSERT INTO shops (id, name, opens) VALUES (100, 'counter', 0)");
    upsert($connection, 'counter', ['n' => 0]);
    $workers = array_map(fn () => new Process('work'), range(1, WORKERS));
    Tap::same(array_map(fn (Process $worker) => $worker->answer(), $workers), array_fill(0, WORKERS, 'done'), 'retry: nobody gives up');
    Tap::same([row(100)[1], $connection->fetchOne("SELECT (data ->> 'n')::int FROM cafes WHERE id = 'counter'")], [WORKERS * TIMES, WORKERS * TIMES],
        'retry: nothing is lost');
    $failing = function (string ...$codes) use ($connection): int {
        $calls = 0;
        retried($connection, function (EntityManager $em) use (&$calls, $codes): void {
            $code = $codes[$calls++] ?? null;
            $em->getConnection()->executeStatement($code === null ? 'SELECT 1' : "DO \$\$ BEGIN RAISE SQLSTATE '$code'; END \$\$");
        });
        return $calls;
    };
    Tap::same($failing(...AGAIN), 4, 'retry: after each of these errors');
    Tap::raises(DriverException::class, fn () => $failing('23505'), 'retry: not after others');
}

function work(Connection $connection): string
{
    for ($i = 0; $i < TIMES; $i++) {
        retried($connection, function (EntityManager $em): void {
            $em->find(Shop::class, 100)->opens++;
        }, 100);
        retried($connection, function (EntityManager $em): void {
            [$version, $data] = $em->getConnection()->fetchNumeric("SELECT version, data FROM docstore.load('cafes', 'counter')");
            upsert($em->getConnection(), 'counter', ['n' => json_decode($data)->n + 1], $version);
        }, 100);
    }
    return 'done';
}

$connection = connection();
$session = $argv[1] ?? null;
if ($session !== null) {
    echo json_encode($session === 'work' ? work($connection) : outcome($connection, fn () => $session(entity_manager($connection), 'second')));
    exit;
}
set_up(entity_manager($connection));
entities($connection);
batch($connection);
two_sessions();
alone($connection);
functions($connection);
Tap::classes(fn (string $statement) => $connection->executeStatement($statement));
retries($connection);
Tap::done();
