# A publication of some streams only: a filter by stream is not a filter by what tells the rows of a log apart.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
# Readers would wait for its transactions.
$subscriber->append_conf('postgresql.conf', 'autovacuum = off');
$subscriber->start;
$_->safe_psql('postgres', q{CREATE EXTENSION docstore; SELECT docstore.create_log('ledger')}) for $publisher, $subscriber;

sub append { my (@streams) = @_; $publisher->safe_psql('postgres', "SELECT docstore.append('ledger', '$_', '[{\"type\": \"T\", \"data\": {\"n\": 1}}]')") for @streams; return; }

sub events
{
	return $subscriber->safe_psql('postgres', q{SELECT string_agg(concat(stream, version, CASE WHEN data = '{}' THEN ' blank' END), ', ' ORDER BY ord) FROM docstore.read_log('ledger') WITH ORDINALITY AS e(
		log_position, stream, version, type, data, metadata, event_id, source_type, stream_type, stream_id, recorded_at, tags, cursor, ord)});
}

my $erase = q{SELECT docstore.erase('ledger', 'b', ARRAY[%d])};

# what would publish updates refuses them: the server cannot tell of the old row whether the filter let it through
append('a', 'b', 'c');
$publisher->safe_psql('postgres', q{CREATE PUBLICATION selected FOR TABLE ledger WHERE (stream = 'b')});
append('b');
like(($publisher->psql('postgres', sprintf($erase, 1)))[2],
	qr/cannot update table "ledger".*publication WHERE expression.*replica identity/s, 'with updates: nothing can be erased');
$publisher->safe_psql('postgres', 'DROP PUBLICATION selected');

# inserts alone: the log can be erased from, each side for itself
$publisher->safe_psql('postgres', q{CREATE PUBLICATION selected FOR TABLE ledger WHERE (stream = 'b') WITH (publish = 'insert');
	CREATE PUBLICATION heads FOR TABLE ledger_streams WHERE (stream = 'b')});
$subscriber->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION selected CONNECTION '%s dbname=postgres' PUBLICATION selected, heads}, $publisher->connstr));
$subscriber->wait_for_subscription_sync($publisher, 'selected');
append('a', 'b', 'c', 'b');
$publisher->safe_psql('postgres', q{SELECT docstore.append_to_log('ledger', '[{"type": "Without a stream"}]')});
is($publisher->safe_psql('postgres', sprintf($erase, 1)), '1', 'inserts alone: an event is erased');
$publisher->wait_for_catchup('selected');
is(events(), 'b1, b2, b3, b4', 'inserts alone: readers of the other side get the stream in its order, and not what was erased');
is($subscriber->safe_psql('postgres', q{SELECT version FROM docstore.stream('ledger', 'b')}), '4', 'inserts alone: with its head');
is($subscriber->safe_psql('postgres', sprintf($erase, 1)), '1', 'inserts alone: the other side erases for itself');

# updates, too, where the old row is written as a whole
$publisher->safe_psql('postgres', q{ALTER TABLE ledger REPLICA IDENTITY FULL; ALTER PUBLICATION selected SET (publish = 'insert, update')});
$subscriber->safe_psql('postgres', 'ALTER TABLE ledger REPLICA IDENTITY FULL');
append('b');
is($publisher->safe_psql('postgres', sprintf($erase, 2)), '1', 'with the whole row as its identity: an event is erased');
$publisher->wait_for_catchup('selected');
is(events(), 'b1 blank, b2 blank, b3, b4, b5', 'with the whole row as its identity: on both sides');

$_->stop for $subscriber, $publisher;
done_testing();
