#include "segue/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"

static const int noted[] = { SIGINT, SIGTERM, SIGHUP };

static struct {
	bool armed;
	sigset_t before; /* the mask */
	struct sigaction was[ARRAY_LEN(noted)];
} state;
static volatile sig_atomic_t came;

static void
on_signal(int number)
{
	came = number;
}

void
interrupt_arm(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t ours;

	if (state.armed)
		return;
	came = 0;
	sigemptyset(&ours);
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(noted); i++) {
		sigaction(noted[i], NULL, &state.was[i]);
		/* what the parent had ignored (nohup) stays so */
		if (state.was[i].sa_handler == SIG_IGN)
			continue;
		sigaddset(&ours, noted[i]);
		sigaction(noted[i], &sa, NULL);
	}
	sigprocmask(SIG_BLOCK, &ours, &state.before);
	state.armed = true;
}

void
interrupt_disarm(void)
{
	if (!state.armed)
		return;
	for (size_t i = 0; i < ARRAY_LEN(noted); i++)
		sigaction(noted[i], &state.was[i], NULL);
	sigprocmask(SIG_SETMASK, &state.before, NULL);
	state.armed = false;
}

int
interrupt_came(void)
{
	return came;
}

int
interrupt_poll(struct pollfd *fds, nfds_t n, uint64_t timeout_us)
{
	struct timespec ts = { .tv_sec = (time_t)(timeout_us / US_PER_S),
		.tv_nsec = (long)(timeout_us % US_PER_S * 1000) };

	if (state.armed && came != 0) {
		errno = EINTR;
		return -1;
	}
	return ppoll(fds, n, timeout_us == UINT64_MAX ? NULL : &ts,
	    state.armed ? &state.before : NULL);
}
