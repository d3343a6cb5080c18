variable "bucket_name" {
  description = "The bucket's name, free in the whole world; bucket_name in the app's secrets."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "Small letters, digits and hyphens, 3 to 63 of them (a dot breaks encrypted connections)."
  }
}

variable "region" {
  description = "Where the bucket is made; region in the app's secrets."
  type        = string
  default     = "us-east-1"
}

variable "prefix" {
  description = "Below what the app keeps its objects; prefix in the app's secrets."
  type        = string
  default     = "predictions/"

  validation {
    condition     = can(regex("^([A-Za-z0-9_.-]+/)+$", var.prefix))
    error_message = "Letters, digits, dots, hyphens and underlines, with a slash at the end."
  }
}

variable "identity" {
  description = "Who the app is: \"user\" (needs an access key) or \"role\" (a machine on AWS)."
  type        = string
  default     = "user"

  validation {
    condition     = contains(["user", "role"], var.identity)
    error_message = "Either user or role."
  }
}

variable "identity_name" {
  description = "The user's or role's name, and the policy's."
  type        = string
  default     = "nba-daily"
}

variable "trusted_service" {
  description = "What runs the app when identity is \"role\"."
  type        = string
  default     = "ec2.amazonaws.com"

  validation {
    condition = contains(
      ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "lambda.amazonaws.com"],
      var.trusted_service
    )
    error_message = "One of ec2.amazonaws.com, ecs-tasks.amazonaws.com, lambda.amazonaws.com."
  }
}

variable "kms_key_arn" {
  description = "A KMS key of your own to encrypt with (1 dollar a month); empty: S3's own keys."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "The key's whole ARN (arn:aws:kms:…:key/…), not its id and not an alias."
  }
}

variable "export_bucket_name" {
  description = "A second bucket for what is shared, S3_EXPORT_BUCKET in the app's environment; empty: none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.export_bucket_name))
    error_message = "Small letters, digits and hyphens, 3 to 63 of them."
  }
}

variable "public_exports" {
  description = "\"yes\" puts a CloudFront distribution in front of the second bucket, if there is one: whoever knows an export's address can read it."
  type        = string
  default     = "no"

  validation {
    condition     = contains(["no", "yes"], var.public_exports)
    error_message = "Either no or yes."
  }
}

variable "old_versions_days" {
  description = "How long overwritten or deleted snapshots and backups can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.old_versions_days >= 1 && var.old_versions_days <= 3650
    error_message = "From 1 to 3650 days."
  }
}
