"""The simulated store on its own; the package says what it is."""

import argparse
import threading

from integrations.woocommerce.simulator import run


def main() -> None:
    parser = argparse.ArgumentParser(description="A simulated WooCommerce store.")
    parser.add_argument("--port", type=int, default=8088)
    with run(port=parser.parse_args().port, delivers=True) as store:
        key = store.make_key()
        print(f"{store.url}\n{key.key}\n{key.secret}")  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
