/* The prose of the man pages, a text per command: see opt_render_man for its form. */
#ifndef CARREL_RUNTIME_CLI_TEXTS_H
#define CARREL_RUNTIME_CLI_TEXTS_H

extern const char cli_text_events[], cli_text_update[];
extern const char cli_text_create[], cli_text_start[], cli_text_run[], cli_text_exec[];
extern const char cli_text_state[], cli_text_kill[], cli_text_delete[], cli_text_list[];
extern const char cli_text_ps[], cli_text_pause[], cli_text_spec[], cli_text_features[];
extern const char cli_text_checkpoint[], cli_text_restore[];

#endif
