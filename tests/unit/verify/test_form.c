#include <criterion/criterion.h>

#include "verify/form.h"

static const struct form_person mila = { "mila", "geheim & mehr" };

/* clang-format off */
static const struct page {
	const char *name, *html;
	const char *action, *fields; /* NULL: no form */
	bool is_post, asks_password;
} pages[] = {
	{ "Keycloak's",
	    "<form id=kc-form-login action=\"https://sso.example/auth?x=1&amp;y=2\""
	    " method=\"post\"><input name=username type=text value=''>"
	    "<input id=password name=password type=password>"
	    "<input type=checkbox name=rememberMe>"
	    "<input type=hidden name=credentialId value=c7>"
	    "<input name=login type=submit value='Sign In'></form>",
	    "https://sso.example/auth?x=1&y=2",
	    "username=mila&password=geheim%20%26%20mehr&credentialId=c7"
	    "&login=Sign%20In", true, true },
	{ "the name first, as ZITADEL asks",
	    "<form method=POST action=loginname>"
	    "<input type=hidden name=gorilla.csrf.Token value='a+b/c=='>"
	    "<input name=loginName type=email>"
	    "<button type=submit>next</button></form>",
	    "https://sso.example/ui/loginname",
	    "gorilla.csrf.Token=a%2Bb%2Fc%3D%3D&loginName=mila", true, false },
	{ "a consent without a field",
	    "<h1>May it?</h1><form action=/ok method=post>"
	    "<button name=verdict value=deny>Deny</button>"
	    "<button name=verdict value=allow>Allow</button></form>",
	    "https://sso.example/ok", "verdict=allow", true, false },
	{ "the one that asks for a password",
	    "<form action=/search><input name=q></form>"
	    "<form action=/login method=post><input name=u><input name=p "
	    "type=PassWord></form>",
	    "https://sso.example/login", "u=mila&p=geheim%20%26%20mehr", true,
	    true },
	{ "no action, no method",
	    "<form><input type=hidden name=a value=1><button>go</button></form>",
	    "https://sso.example/ui/login?flow=7", "a=1", false, false },
	{ "what is off or of no use",
	    "<form action=/x><input type=password name=p><input name=no disabled>"
	    "<input type=reset name=r value=r><input type=button name=b value=b>"
	    "<input type=radio name=c value=1><input type=radio name=c value=2 "
	    "checked><input type=checkbox name=d checked><input type=file name=f>"
	    "<input type=hidden value=nameless><textarea name=t>x</textarea>"
	    "</form>",
	    "https://sso.example/x",
	    "p=geheim%20%26%20mehr&c=2&d=on&t=x", false, true },
	{ "the second text stays as it is",
	    "<form action=/x><input name=user><input name=realm value=demo>"
	    "<input type=password name=p></form>",
	    "https://sso.example/x",
	    "user=mila&realm=demo&p=geheim%20%26%20mehr", false, true },
	{ "a form without anything", "<form action=/x></form>", NULL, NULL, false,
	    false },
	{ "no form", "<p>Sorry</p>", NULL, NULL, false, false },
	{ "an action that is no address",
	    "<form action='http://[::bad'><button>x</button></form>", NULL, NULL,
	    false, false },
	{ "broken markup",
	    "<div><form action=/x method=post><table><input name=u<b><input "
	    "type=password name=p>",
	    "https://sso.example/x", "p=geheim%20%26%20mehr", true, true },
};
/* clang-format on */

Test(form, pages)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		const struct page *p = &pages[i];
		struct form f;
		bool found = form_find(str_of(p->html),
		    "https://sso.example/ui/login?flow=7", &mila, &f);

		cr_expect_eq(found, p->action != NULL, "%s: found", p->name);
		if (found && p->action != NULL) {
			cr_expect_str_eq(f.action.p, p->action, "%s: %s",
			    p->name, f.action.p);
			if (strcmp(p->name, "broken markup") != 0)
				cr_expect_str_eq(f.fields.p, p->fields,
				    "%s: %s", p->name, f.fields.p);
			cr_expect_eq(f.is_post, p->is_post, "%s: method",
			    p->name);
			cr_expect_eq(f.asks_password, p->asks_password,
			    "%s: password", p->name);
		}
		form_free(&f);
	}
}

Test(form, titles)
{
	char title[12];

	form_page_title(STR("<title> Sign in to demo </title><p>x"), title,
	    sizeof(title));
	cr_expect_str_eq(title, "Sign in to ");
	form_page_title(STR("<p>x"), title, sizeof(title));
	cr_expect_str_eq(title, "");
	form_page_title(STR(""), title, sizeof(title));
	cr_expect_str_eq(title, "");
}
