/*
 * segue - the command of whoever operates segued; segue(1).
 */
#include <stdio.h>

#include "segue/run.h"

int
main(int argc, char **argv)
{
	return run_main(argc, argv, stdout, stderr);
}
