/*
 * stream_call.h - what the verbs on one stream have in common
 */
#ifndef DS_STREAM_CALL_H
#define DS_STREAM_CALL_H

#include "postgres.h"

#include "base/compat.h"
#include "batch/batch.h"
#include "fmgr.h"

typedef struct DsStreamCall
{
	DsLog		log;
	DsBatch		batch;			/* of one item */
	DsItem	   *item;
} DsStreamCall;

extern void ds_stream_call_begin(FunctionCallInfo fcinfo, DsOp op, DsStreamCall *call);
pg_nodiscard extern bool ds_stream_call_run(DsStreamCall *call);

#endif							/* DS_STREAM_CALL_H */
