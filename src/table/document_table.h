/*
 * document_table.h - the tables that are collections
 */
#ifndef DS_DOCUMENT_TABLE_H
#define DS_DOCUMENT_TABLE_H

extern void ds_document_table_init(void);

#endif							/* DS_DOCUMENT_TABLE_H */
