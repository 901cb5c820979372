/*
 * request_tables.h - whether a retry means the tables that the first call has written
 */
#ifndef DS_REQUEST_TABLES_H
#define DS_REQUEST_TABLES_H

#include "postgres.h"

#include "batch/request.h"

/* The items of a retry, as they are gone through. */
typedef struct DsRequestTables
{
	const DsRequest *request;
	JsonbIterator *items;
	int			item;
	char	   *name;			/* that the latest item gives */
	char	   *meant;			/* the table that it stands for now; NULL: none */
} DsRequestTables;

extern void ds_request_tables_begin(DsRequestTables *retry, const DsRequest *request, Jsonb *changes);
extern void ds_request_tables_require(DsRequestTables *retry, const text *target);

#endif							/* DS_REQUEST_TABLES_H */
