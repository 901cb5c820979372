/*
 * document_statement.h - the SQL that reads, locks and writes documents
 */
#ifndef DS_DOCUMENT_STATEMENT_H
#define DS_DOCUMENT_STATEMENT_H

#include "postgres.h"

#include "table/statement.h"

extern void ds_document_statement_build(const DsCollection *collection, DsStatement statement,
										DsStatementText *text);

#endif							/* DS_DOCUMENT_STATEMENT_H */
