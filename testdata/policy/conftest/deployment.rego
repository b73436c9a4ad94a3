package main

import data.lib.kubernetes

deny contains msg if {
	kubernetes.is_deployment
	not input.spec.template.spec.securityContext.runAsNonRoot
	msg := sprintf("Containers must not run as root in Deployment %s", [input.metadata.name])
}

warn_latest contains {"msg": sprintf("%s has no fixed tag", [c.image]), "image": c.image} if {
	some c in input.spec.template.spec.containers
	endswith(c.image, ":latest")
}
