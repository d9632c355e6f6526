/*
 * notify - tells the service manager how we are (sd_notify(3)), without its
 * library; does nothing when NOTIFY_SOCKET is not set.
 *
 * Thread: master.
 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const char *sentence);

#endif
