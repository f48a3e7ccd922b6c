// Cancellation.h - Ctrl-C asks for a stop at the next token instead of ending
// the process in the middle of one.
#ifndef QWEN_RUNTIME_CORE_CANCELLATION_H
#define QWEN_RUNTIME_CORE_CANCELLATION_H

namespace qwen {

/// From here on SIGINT and SIGTERM set a flag; a second signal before
/// `clearCancellation` ends the process as usual. System calls that wait are
/// interrupted (EINTR).
void installCancellation();

bool cancellationRequested();
void requestCancellation();
void clearCancellation();

} // namespace qwen

#endif
