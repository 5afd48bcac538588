-- The servers keep apart: a database each, made when the data volume is empty.
CREATE DATABASE prefect;
CREATE DATABASE mlflow;
