/*
 * head_statement.h - the SQL that reads, locks and writes the heads of streams
 */
#ifndef DS_HEAD_STATEMENT_H
#define DS_HEAD_STATEMENT_H

extern void ds_head_statement_init(void);

#endif							/* DS_HEAD_STATEMENT_H */
