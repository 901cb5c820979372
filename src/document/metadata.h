/*
 * metadata.h - documents that carry their collection, id and version
 */
#ifndef DS_METADATA_H
#define DS_METADATA_H

#include "postgres.h"

#include "table/id.h"
#include "utils/jsonb.h"

/* What "@metadata" of a document says; NULL: no such key. */
typedef struct DsMetadata
{
	JsonbValue *collection;		/* always there, a string that is not empty */
	JsonbValue *id;				/* not null */
	JsonbValue *version;
	JsonbValue	values[3];
} DsMetadata;

extern void ds_metadata_read(JsonbContainer *document, int item, DsMetadata *metadata);
extern Jsonb *ds_metadata_strip(Jsonb *document);
extern Jsonb *ds_metadata_add(Jsonb *data, Oid relid, const DsIdType *type, Datum id,
							  int64 version);

#endif							/* DS_METADATA_H */
