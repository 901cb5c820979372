/*
 * id.h - the types that an id can have
 */
#ifndef DS_ID_H
#define DS_ID_H

#include "postgres.h"

#include "access/attnum.h"
#include "utils/jsonb.h"

typedef struct DsIdType
{
	Oid			oid;
	Oid			array_oid;
	const char *name;			/* as SQL spells it */
	int16		length;			/* -1: varying */
	bool		by_value;
	char		align;
	RegProcedure equal;
	bool		can_generate;	/* a new UUID is a valid id */
} DsIdType;

extern const DsIdType *ds_id_type(Oid type);
extern Datum ds_id_from_text(const DsIdType *type, text *given, int item);
extern Datum ds_id_from_json(const DsIdType *type, const JsonbValue *given, int item);
extern Datum ds_id_generate(const DsIdType *type, int item);
extern void ds_id_require_short(const DsIdType *type, Datum id, Oid relid, AttrNumber column, int others, int item);
extern Datum ds_id_of_stream(text *name, int item);
extern void ds_id_require_short_stream(Datum stream, Oid relid, AttrNumber column, int item);
extern char *ds_id_to_cstring(const DsIdType *type, Datum id);
extern uint64 ds_id_prefix(const DsIdType *type, Datum id);
extern int	ds_id_compare(const DsIdType *type, Datum left, Datum right);

#endif							/* DS_ID_H */
