package main_test

import data.main

test_root if count(main.deny) == 1 with input as {"kind": "Deployment", "metadata": {"name": "a"}}

test_service if count(main.deny) == 0 with input as {"kind": "Service"}
