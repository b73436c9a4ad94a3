package lib.kubernetes

is_deployment if input.kind == "Deployment"
