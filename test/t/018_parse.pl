# docstore.parse() in databases of other encodings than UTF8, where texts have bytes that are no UTF-8: the server's answer, whatever it is.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

# What there is beside ASCII in each, as hexadecimal digits of the bytes in the texts.
my %encodings = (
	UTF8 => [ qw(c3a9 e282ac f09f9880 7f) ],
	LATIN1 => [ qw(e9 ff a0 c3a9) ],
	WIN1252 => [ qw(80 e9 9f) ],
	EUC_JP => [ qw(a4a2 8ea7 8fb0a1) ],
	SQL_ASCII => [ qw(e9 ff c3 c3a9 eda080 c080 f8888080 80) ],
);

for my $encoding (sort keys %encodings)
{
	my $database = lc $encoding;
	my $bytes = join ', ', map { "'$_'" } @{ $encodings{$encoding} };
	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->safe_psql($database, q{
		CREATE EXTENSION docstore;
		CREATE FUNCTION answer(conversion text, given text, OUT made record, OUT error text) LANGUAGE plpgsql AS $$
		DECLARE message text; detail text; context text;
		BEGIN
			EXECUTE format('SELECT %s AS json', conversion) INTO made USING given;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, context = PG_EXCEPTION_CONTEXT;
			error := concat_ws(' | ', SQLSTATE, message, detail, substring(context FROM '^JSON data[^\n]*'));
		END $$;
		CREATE TABLE texts AS
			SELECT replace(form, '@', convert_from(decode(bytes, 'hex'), getdatabaseencoding())) AS json
			FROM unnest(ARRAY[} . $bytes . q{]) AS bytes,
				unnest(ARRAY['"@"', '["a@b", "@", "\n@"]', '{"@": "\u0041@", "a@": 1.50, "@": [true, @]}', '@', '"@', '"\@"', '"\u@"', '[1]@', '{"long @ @ @ @ @ @ @ @ @ @ @ @ @ @ @": "@\\"}']) AS form
			UNION ALL
			SELECT unnest(ARRAY['"\u00e9"', '"\u20ac"', '"\u3042"', '"\ud83d\ude00"', '"\u0000"', '"\ud83d"', '{"a": [1, 2.5, null]}', '"\u00']);
	});
	is($node->safe_psql($database, q{
			SELECT count(*), count(*) FILTER (WHERE p.error IS DISTINCT FROM s.error), count(*) FILTER (WHERE p.error IS NULL AND s.error IS NULL AND NOT p.made *= s.made)
			FROM texts, answer('docstore.parse($1)', json) AS p, answer('$1::jsonb', json) AS s}),
		(9 * @{ $encodings{$encoding} } + 8) . '|0|0', "$encoding: each text is answered as the server answers it");
	cmp_ok($node->safe_psql($database, q{SELECT count(*) FROM texts, answer('docstore.parse($1)', json) WHERE error IS NULL}), '>', 8, "$encoding: some of them are JSON");
}

$node->stop;
done_testing();
