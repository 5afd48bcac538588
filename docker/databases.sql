-- One database per server, created when the data volume is empty.
CREATE DATABASE prefect;
CREATE DATABASE mlflow;
