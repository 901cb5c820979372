/*
 * subtransaction.h - what can be taken back
 */
#ifndef DS_SUBTRANSACTION_H
#define DS_SUBTRANSACTION_H

#include "postgres.h"

/* Does something; whether that stays. */
typedef bool (*DsSubtransactionBody) (void *context);

extern bool ds_subtransaction_is_free(void);
extern bool ds_subtransaction_run(DsSubtransactionBody body, void *context);

#endif							/* DS_SUBTRANSACTION_H */
