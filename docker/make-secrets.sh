#!/usr/bin/env bash
# Make the secrets of compose.yaml, random ones, in docker/secrets (or the folder given). What is there already stays.
# Containers read the files as users of their own, so the files are readable and the folder is closed to others.
set -euo pipefail
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"

random() { od -An -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }
keep() { # NAME: the text on standard input becomes the file, unless there is one
  local text
  text=$(cat)
  if [ ! -e "$folder/$1" ]; then
    printf '%s' "$text" > "$folder/$1"
    chmod 644 "$folder/$1"
    echo "$folder/$1"
  fi
}

random 32 | keep ray_token
random 24 | keep postgres_password
random 10 | keep s3_key
random 24 | keep s3_secret
# libpq's file of connections: MLflow asks for the service by name, so that no address has the password in it.
keep pg_service.conf << END
[mlflow]
host=postgres
dbname=mlflow
user=mlflow
password=$(cat "$folder/postgres_password")
END
# The same pair of keys twice: as the server reads it, and as every AWS client does.
keep s3.json << END
{"identities": [{"name": "sweeper", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "$(cat "$folder/s3_key")", "secretKey": "$(cat "$folder/s3_secret")"}]}]}
END
keep aws_credentials << END
[default]
aws_access_key_id = $(cat "$folder/s3_key")
aws_secret_access_key = $(cat "$folder/s3_secret")
END
