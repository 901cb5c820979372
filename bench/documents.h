/*
 * documents.h - the documents that the programs that measure write and parse
 */
#ifndef BENCH_DOCUMENTS_H
#define BENCH_DOCUMENTS_H

#include "client.h"

static inline void
write_menu_item(FILE *out)
{
	fprintf(out, "{\"name\":\"");
	write_words(out, 2);
	fprintf(out, "\",\"price\":%d.%02d,\"sizes\":[\"s\",\"m\",\"l\"],\"vegan\":%s,\"kcal\":%d,\"note\":\"",
			1 + random_below(9), random_below(100), random_below(2) ? "true" : "false", random_below(700));
	write_words(out, 3 + random_below(8));
	fprintf(out, "\"}");
}

/* A coffee shop of about so many bytes, written as programs write JSON. */
static inline char *
make_document(int bytes)
{
	char	   *result;
	size_t		length;
	FILE	   *out = open_memstream(&result, &length);

	fprintf(out, "{\"name\":\"Mozart's %d\",\"city\":\"Austin\",\"open\":%s,\"rating\":%d.%d,\"tags\":[\"wifi\",\"patio\"]",
			random_below(100000), random_below(2) ? "true" : "false", random_below(5), random_below(10));
	if (bytes > 500)
	{
		fprintf(out, ",\"address\":{\"street\":\"%d Lake Austin Blvd\",\"zip\":\"%05d\",\"location\":{\"lat\":30.%06d,\"lon\":-97.%06d}}",
				random_below(9999), random_below(99999), random_below(1000000), random_below(1000000));
		fprintf(out, ",\"phone\":\"+1 512 %07d\",\"owner\":null,\"hours\":{", random_below(10000000));
		for (int day = 0; day < 7; day++)
			fprintf(out, "%s\"%.2s\":{\"from\":%d,\"to\":%d}", day > 0 ? "," : "", &"motuwethfrsasu"[2 * day],
					6 + random_below(4), 17 + random_below(6));
		fprintf(out, "},\"menu\":[");
		write_menu_item(out);
		while (ftell(out) < bytes - 100)
		{
			fputc(',', out);
			write_menu_item(out);
		}
		fputc(']', out);
	}
	fputc('}', out);
	fclose(out);
	return result;
}

/* A row of a table, as an ORM would send it: short texts, numbers and dates, all in one object. */
static inline char *
make_flat_document(int bytes)
{
	char	   *result;
	size_t		length;
	FILE	   *out = open_memstream(&result, &length);

	fprintf(out, "{\"id\":%d,\"name\":\"Mozart's %d\"", random_below(100000), random_below(100000));
	for (int column = 0; ftell(out) < bytes - 40; column++)
	{
		fprintf(out, ",\"column_%d\":", column);
		switch (column % 4)
		{
			case 0:
				fprintf(out, "%d", random_below(1000000));
				break;
			case 1:
				fprintf(out, "\"2026-%02d-%02dT08:00:00Z\"", 1 + random_below(12), 1 + random_below(28));
				break;
			case 2:
				fprintf(out, "%d.%02d", random_below(1000), random_below(100));
				break;
			default:
				fputc('"', out);
				write_words(out, 4);
				fputc('"', out);
		}
	}
	fputc('}', out);
	fclose(out);
	return result;
}

/* As many numbers, every other one with decimals. */
static inline char *
make_numbers(int count)
{
	char	   *result;
	size_t		length;
	FILE	   *out = open_memstream(&result, &length);

	for (int i = 0; i < count; i++)
		if (i % 2)
			fprintf(out, ",%d.%03d", random_below(10000), random_below(1000));
		else
			fprintf(out, "%s%d", i > 0 ? "," : "[", random_below(1000000));
	fputc(']', out);
	fclose(out);
	return result;
}

/* Points with properties, about so many bytes of them. */
static inline char *
make_geojson(int bytes)
{
	char	   *result;
	size_t		length;
	FILE	   *out = open_memstream(&result, &length);

	fprintf(out, "{\"type\":\"FeatureCollection\",\"features\":[");
	for (int i = 0; ftell(out) < bytes; i++)
	{
		fprintf(out, "%s{\"type\":\"Feature\",\"properties\":{\"id\":%d,\"name\":\"", i > 0 ? "," : "", i);
		write_words(out, 3);
		fprintf(out, "\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[");
		for (int corner = 0; corner < 40; corner++)
			fprintf(out, "%s[%d.%07d,%d.%07d]", corner > 0 ? "," : "", random_below(180), random_below(10000000), random_below(90),
					random_below(10000000));
		fprintf(out, "]]}}");
	}
	fprintf(out, "]}");
	fclose(out);
	return result;
}

#endif							/* BENCH_DOCUMENTS_H */
