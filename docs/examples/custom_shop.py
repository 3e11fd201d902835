"""A whole shop: it tells Kalas of a product and adds the words that come back. Needs the addresses
and secrets KALAS_HOOK, KALAS_SECRET, RESULT_SECRET and PHOTO_URL: `python custom_shop.py 8000`."""
import base64, hashlib, hmac, json, os, sys, time, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
product = {"id": "4711", "title": "Summer shirt", "tags": ["Sale"], "attributes": {},
           "images": [{"id": "front", "url": os.environ["PHOTO_URL"]}]}

def sign(name, stamp, body, secret):
    key = base64.b64decode(os.environ[secret].removeprefix("whsec_"))
    digest = hmac.digest(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"

class Results(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        right = sign(self.headers["webhook-id"], self.headers["webhook-timestamp"], body, "RESULT_SECRET")
        genuine = any(hmac.compare_digest(right, each) for each in self.headers["webhook-signature"].split())
        self.send_response(204 if genuine else 401)
        self.end_headers()
        if genuine and (message := json.loads(body))["type"] == "product.annotated":
            product["tags"] += message["data"]["add"]["tags"]
            product["attributes"].update(message["data"]["add"]["attributes"])
            print(json.dumps(product), flush=True)

server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Results)
body, stamp = json.dumps({"type": "product.changed", "data": product}).encode(), str(int(time.time()))
headers = {"webhook-id": f"msg_{stamp}", "webhook-timestamp": stamp,
           "webhook-signature": sign(f"msg_{stamp}", stamp, body, "KALAS_SECRET")}
urllib.request.urlopen(urllib.request.Request(os.environ["KALAS_HOOK"], body, headers))
server.serve_forever()
