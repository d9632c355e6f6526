/*
 * help - what segue can do, from the rows of commands and options.
 *
 * Thread: any.
 */
#ifndef SEGUE_HELP_H
#define SEGUE_HELP_H
#include "base/attr.h"
#include "base/buf.h"

struct command;

void help_write_all(struct buf *out);
void help_write_command(const struct command *, struct buf *out);

#endif
