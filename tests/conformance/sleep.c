/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sleep(1) that takes STRETCH times as long: what a case calls sleep on a machine that is busy with something else. */
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) * STRETCH : 0;
	struct timespec left = { (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };

	while (nanosleep(&left, &left) != 0)
		;
	return 0;
}
