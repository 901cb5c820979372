/*
 * retry.h - whether a retry means the tables that the first call has written
 */
#ifndef DS_RETRY_H
#define DS_RETRY_H

#include "postgres.h"

#include "batch/request.h"

/* The items of a retry, as they are gone through. */
typedef struct DsRetry
{
	const DsRequest *request;
	JsonbIterator *items;
	int			item;
	char	   *name;			/* that the latest item gives */
	char	   *meant;			/* the table that it stands for now; NULL: none */
} DsRetry;

extern void ds_retry_begin(DsRetry *retry, const DsRequest *request, Jsonb *changes);
extern void ds_retry_require_target(DsRetry *retry, const text *target);

#endif							/* DS_RETRY_H */
