/* The text format of Prometheus. */
#include "admin/exposition.h"

#include <criterion/criterion.h>
#include <string.h>

#include "admin/admin.h"
#include "base/attr.h"

Test(exposition, labels_are_escaped, .timeout = 5)
{
	struct expo_labels l = { .n = 0 };
	struct buf b = BUF_INIT;

	expo_u64(&b, "a", &l, 1);
	expo_add_label(&l, "x", "q\"b\\n\nz");
	expo_add_label(&l, "y", "");
	expo_seconds(&b, "a", &l, 1500000);
	cr_expect_str_eq(b.p,
	    "a 1\na{x=\"q\\\"b\\\\n\\nz\",y=\"\"} 1.500000\n");
	buf_free(&b);
}

Test(exposition, histogram, .timeout = 5)
{
	struct expo_labels l = { .n = 0 };
	struct buf b = BUF_INIT;
	struct hist h;

	memset(&h, 0, sizeof(h));
	hist_add(&h, 255);       /* on an edge */
	hist_add(&h, 256);       /* behind it */
	hist_add(&h, 100000000); /* behind the last */
	expo_add_label(&l, "p", "v");
	expo_hist(&b, "t", &l, &h);
	cr_expect_not_null(strstr(b.p,
	    "t_bucket{p=\"v\",le=\"0.000255\"} 1\n"));
	cr_expect_not_null(strstr(b.p,
	    "t_bucket{p=\"v\",le=\"0.000511\"} 2\n"));
	cr_expect_not_null(strstr(b.p,
	    "t_bucket{p=\"v\",le=\"67.108863\"} 2\n"));
	cr_expect_not_null(strstr(b.p, "t_bucket{p=\"v\",le=\"+Inf\"} 3\n"));
	cr_expect_not_null(strstr(b.p, "t_sum{p=\"v\"} 100.000511\n"));
	cr_expect_not_null(strstr(b.p, "t_count{p=\"v\"} 3\n"));
	buf_free(&b);
}

/* What the manual lists: names, types and labels as Prometheus has them. */
Test(exposition, names, .timeout = 5)
{
	struct buf b = BUF_INIT;
	struct str rest;
	size_t n = 0;

	admin_metrics_names(&b);
	cr_assert_not(b.failed);
	for (rest = buf_str(&b); rest.len > 0; n++) {
		struct str line = str_split(&rest, '\n');
		struct str name = str_split(&line, '\t');
		struct str type = str_split(&line, '\t');
		struct str labels = str_split(&line, '\t');
		bool counter = str_eq(type, STR("counter"));

		cr_expect_eq(str_ends(name, STR("_total")), counter, STR_FMT,
		    STR_ARG(name));
		cr_expect(counter || str_eq(type, STR("gauge")) ||
		        str_eq(type, STR("histogram")),
		    STR_FMT, STR_ARG(name));
		cr_expect_eq(str_starts(name, STR("segue_pool_")),
		    str_starts(labels, STR("service,pool")) &&
		        !str_starts(labels, STR("service,pool,instance")),
		    STR_FMT, STR_ARG(name));
		cr_expect(line.len > 1 && line.p[line.len - 1] == '.', STR_FMT,
		    STR_ARG(name));
	}
	cr_expect_gt(n, 50);
	cr_expect_not_null(strstr(b.p,
	    "segue_outcomes_total\tcounter\tservice,class,outcome\t"));
	cr_expect_not_null(strstr(b.p, "segue_build_info\tgauge\tversion\t"));
	buf_free(&b);
}
