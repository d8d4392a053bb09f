/* Sessions in memory, on a clock that is only counted; prints what both sides see. */
#ifndef SELF_TEST_H
#define SELF_TEST_H

/* What main() returns. */
int self_test(void);

#endif
