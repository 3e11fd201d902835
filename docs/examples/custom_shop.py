"""A whole shop in a few lines: it tells Kalas of a product and adds the words that come back.

    KALAS_HOOK=https://… KALAS_SECRET=whsec_… RESULT_SECRET=whsec_… PHOTO_URL=https://… \
        python custom_shop.py 8000
"""
import base64, hashlib, hmac, json, os, sys, time, urllib.request, uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

product = {"id": "4711", "title": "Summer shirt", "tags": ["Sale"], "attributes": {},
           "images": [{"id": "front", "url": os.environ["PHOTO_URL"]}]}

def sign(name, stamp, body, secret):
    key = base64.b64decode(os.environ[secret].removeprefix("whsec_"))
    digest = hmac.digest(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"

def tell_kalas():
    body = json.dumps({"type": "product.changed", "data": product}).encode()
    name, stamp = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
    headers = {"Content-Type": "application/json", "webhook-id": name, "webhook-timestamp": stamp,
               "webhook-signature": sign(name, stamp, body, "KALAS_SECRET")}
    urllib.request.urlopen(urllib.request.Request(os.environ["KALAS_HOOK"], body, headers))

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
tell_kalas()
server.serve_forever()
