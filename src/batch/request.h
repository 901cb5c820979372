/*
 * request.h - calls that are answered once, however often they are sent
 */
#ifndef DS_REQUEST_H
#define DS_REQUEST_H

#include "postgres.h"

#include "base/compat.h"
#include "datatype/timestamp.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

/* One call of docstore.save() that was given a request_id. */
typedef struct DsRequest
{
	Datum		role;			/* the caller */
	Datum		id;				/* a uuid */
	Datum		hash;			/* of its changes, a bytea */
	Jsonb	   *result;			/* what it was answered, NULL: not yet */
} DsRequest;

extern void ds_request_claim(DsRequest *request, Datum id, Jsonb *changes);
pg_nodiscard extern char *ds_request_id(const DsRequest *request);
extern void ds_request_answer(const DsRequest *request, Jsonb *result);
pg_noreturn extern void ds_request_refuse_result(const DsRequest *request);
extern int64 ds_request_forget(Oid role, TimestampTz before);

#endif							/* DS_REQUEST_H */
