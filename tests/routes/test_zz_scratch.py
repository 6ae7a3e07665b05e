import json, pytest
from portal.models import Session
from tests.factories import *
from tests.visiting import facts, visit_as

@pytest.mark.faults_expected
def test_probe(app, client, engine):
    app.testing=False
    c = app.test_client()
    with facts(app):
        ws=a_workspace(); visit_as(c, owner_of(ws))
    from flask.testing import FlaskClient
    def go(method, path, **k):
        r = FlaskClient.open(c, path, method=method, **k); print(engine, method, path[:60], r.status_code); return r
    go("GET","/w/%00/plans"); go("GET","/w/acme/invoices/%00"); go("GET","/w/acme/checkout/%00"); go("GET","/links/%00")
    go("GET","/w/%ff%fe/plans"); go("GET","/reset/%00"); go("GET","/sandbox/mailbox/%00"); go("GET", "/sandbox/3ds/%00"); go("GET","/w/acme/members?q=%00&before=999999999")
    go("POST","/csp-report", data="["*8000, content_type="application/json")
    go("POST","/csp-report", data='{"a":'*1300+"1"+"}"*1300, content_type="application/json")
    go("POST","/csp-report", data=json.dumps({"csp-report":{"effective-directive":"script-src","blocked-uri":"http://[","document-uri":"http://x//w//\ud800"}}), content_type="application/json")
    go("POST","/csp-report", data=json.dumps({"csp-report":{"effective-directive":"script-src","blocked-uri":"x\x00","document-uri":"http://x/w/\x00/plans"}}), content_type="application/json")
    go("POST","/csp-report", data='{"csp-report":{"document-uri":"http://x/w/a"}}', content_type="application/json")
    go("POST","/csp-report", data=json.dumps({"csp-report":{"document-uri":"http://x/w/\ud800"}}), content_type="application/json")
    go("GET","/", headers={"Cookie":"session=\xff\xfe\xed\xa0\x80"})
    go("GET","/", headers={"Cookie":"session=\"\\000\\377\""})
    go("GET","/", headers={"Accept-Language":"\xff;q=1e400,;;=,fr;q=nan"})
    go("GET","/", headers={"Host":"LOCALHOST"}); go("GET","/", headers={"Host":"localhost."});go("GET","/", headers={"Host":"evil.example"});go("GET","/", headers={"Host":"a b\xff"})
    go("GET","/", headers={"User-Agent":"\xff\x00"})
    with facts(app):
        a=Session.select().count()
    d=app.test_client()
    for p in ("/","/pricing","/?lang=fr","/healthz","/sign-in"):
        r=FlaskClient.open(app.test_client(), p); print(p, r.headers.get("Set-Cookie"))
    with facts(app): print("rows", a, Session.select().count())
    r=FlaskClient.open(d,"/static/portal.css"); print(r.headers)
